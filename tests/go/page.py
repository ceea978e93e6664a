"""Every command and every line of Go on docs/go.md, compiled and run:
    page.py GO
The module is set up by the command of the page. What the page leaves to the
reader (a store, an upstream, a client) is below."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
# Only what a reader replaces, too: paths, and the server that never ends.
READER = {'"/var/lib/metering"': "storePath", '"limits.map"': "limitsPath",
          "http.ListenAndServe(": "served("}
PROGRAM = """package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"libmetering/metering"
)

var directory = os.Args[1]
var storePath = filepath.Join(directory, "store")
var limitsPath = filepath.Join(directory, "limits.map")
var ctx = context.Background()

// served asks the server of the page twice.
func served(_ string, handler http.Handler) {
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, key := range []string{"ariel-key", "wrong"} {
		request, err := http.NewRequest("GET", server.URL+"/anything", nil)
		fatal(err)
		request.Header.Set("apikey", key)
		answer, err := http.DefaultClient.Do(request)
		fatal(err)
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Println(key, answer.StatusCode)
	}
}

func fatal(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func upstreamOf(tokens string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Tokens", tokens)
	})
}

func onGateway(upstream http.Handler) {
%s
	fatal(err)
	settled, err := store.Settle()
	fatal(err)
	fmt.Println("events", settled.Events)
	rows, err := store.Usage(metering.UsageQuery{Meter: "tokens"})
	fatal(err)
	for rows.Next() {
		fmt.Println("tokens", rows.Row().Value)
	}
}

func onLimiter() {
%s
	fatal(err)
	fmt.Println("limiter", ok)
}

func main() {
	store, err := metering.Create(storePath)
	fatal(err)
	story, err := os.ReadFile(os.Args[2])
	fatal(err)
	_, err = store.Apply(story)
	fatal(err)
	_, err = store.PutMeter([]byte(`{"key": "tokens", "name": "Tokens",
		"event_type": "kong.api_request", "aggregation": "sum",
		"value_property": "$.tokens"}`))
	fatal(err)
	onGateway(upstreamOf("42"))
	onLimiter()
	_ = time.Minute
}
"""


def main():
    """One module, in a folder of its own."""
    go = sys.argv[1]
    page = (TOP / "docs/go.md").read_text()
    gateway, limiter = re.findall(r"```go\n(.*?)```", page, re.S)
    command, = re.findall(r"^go mod edit .*$", page, re.M)
    for text, ours in READER.items():
        gateway, limiter = (block.replace(text, ours)
                            for block in (gateway, limiter))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "main.go").write_text(PROGRAM % (gateway, limiter))

        def run(*words):
            done = subprocess.run(words, cwd=folder, capture_output=True,
                                  text=True, check=False, env={
                                      **os.environ, "PATH": os.pathsep.join(
                                          [str(pathlib.Path(go).parent),
                                           os.environ["PATH"]])})
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout
        run(go, "mod", "init", "page")
        run("sh", "-ec", command.replace("…/libmetering", str(TOP)))
        said = run(go, "run", ".", folder, TOP
                   / "bindings/go/examples/get_started/catalog.json")
    assert said.splitlines() == ["ariel-key 200", "wrong 401", "events 1",
                                 "tokens 42", "limiter true"], said


if __name__ == "__main__":
    main()
