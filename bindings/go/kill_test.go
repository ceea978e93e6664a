package metering_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libmetering/metering"
)

// TestMain is also the server that TestKill kills.
func TestMain(m *testing.M) {
	if path := os.Getenv("METERING_TEST_SERVE"); path != "" {
		if err := serveStore(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func serveStore(path string) error {
	store, err := metering.Open(path)
	if err != nil {
		return err
	}
	gateway, err := store.Gateway(metering.GatewayOptions{Handles: 2})
	if err != nil {
		return err
	}
	go gateway.Run(context.Background(), func(err error) {
		fmt.Fprintln(os.Stderr, err)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, gateway.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hello")
		}), metering.HandlerOptions{}))
}

// startServer starts a server in a process of its own.
func startServer(t *testing.T, path string) (*exec.Cmd, string) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "METERING_TEST_SERVE="+path)
	command.Stderr = os.Stderr
	output := must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return command, "http://" + strings.TrimSpace(line) + "/anything"
}

// load asks a server until it is gone and counts how often it answered 200.
func load(client *http.Client, url string, answered *atomic.Int64) {
	for {
		request, _ := http.NewRequest("GET", url, nil)
		request.Header.Set("apikey", "rosario-key")
		answer, err := client.Do(request)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode == 200 {
			answered.Add(1)
		}
	}
}

// TestKill kills a server under load, again and again: everything that was
// answered is counted, and at most one more for every request in flight.
func TestKill(t *testing.T) {
	const kills, clients = 5, 4
	path := filepath.Join(t.TempDir(), "store")
	store := must(metering.Create(path))
	defer store.Close()
	must(store.Apply(catalog(t)))
	must(store.Apply([]byte(`{"_format_version": "3.0", "plugins": [
		{"name": "rate-limiting", "config": {"minute": 1000000,
		 "limit_by": "consumer"}}]}`)))
	var answered atomic.Int64
	for i := 0; i < kills; i++ {
		command, url := startServer(t, path)
		client := &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: clients}}
		var group sync.WaitGroup
		for c := 0; c < clients; c++ {
			group.Add(1)
			go func() {
				defer group.Done()
				load(client, url, &answered)
			}()
		}
		for enough := answered.Load() + 50; answered.Load() < enough; {
			time.Sleep(time.Millisecond)
		}
		command.Process.Kill()
		command.Wait()
		group.Wait()
	}
	text := total(t, store, "api_requests")
	counted := must(strconv.ParseInt(text, 10, 64))
	if counted < answered.Load() || counted > answered.Load()+kills*clients {
		t.Fatalf("answered %d, counted %d", answered.Load(), counted)
	}
	t.Logf("%d kills: answered %d, counted %d", kills, answered.Load(), counted)
}
