#!/usr/bin/env python3
"""The example gateway over real HTTP: options, odd requests, an upstream that
answers, lies and is away, and two gateways on one store."""
import http.client
import http.server
import pathlib
import subprocess
import tempfile
import threading

import story


def ask(port, path, key=None, method="GET", body=None, headers=()):
    """(status, {header: value}, body) of one request."""
    http_client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = dict(headers)
    if key:
        sent["apikey"] = key
    http_client.request(method, path, body=body, headers=sent)
    answer = http_client.getresponse()
    got = (answer.status, dict(answer.getheaders()), answer.read())
    http_client.close()
    return got


class Upstream(http.server.BaseHTTPRequestHandler):
    """Keeps what it was asked; /anything/fails answers 500."""
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        Upstream.seen.append((self.path, dict(self.headers), body))
        self.send_response(500 if self.path.startswith("/anything/fails")
                           else 201)
        self.send_header("Content-Type", "text/x-upstream")
        self.end_headers()
        self.wfile.write(b"from upstream " + body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


def used(store, consumer):
    story.metering(store, "settle")
    return sum(story.usage(store, f"consumer:{consumer}",
                           start="2020-01-01T00:00:00Z",
                           end="2200-01-01T00:00:00Z").values())


def check_options(store):
    for words in ([], ["-d"], ["-d", ""], ["-d", store, "--port"],
                  ["-d", store, "--port", "many"],
                  ["-d", store, "--port", "-1"],
                  ["-d", store, "--port", "65536"],
                  ["-d", store, "--port", "1e3"],
                  ["-d", store, "--threads", "0"],
                  ["-d", store, "--threads", "65"],
                  ["-d", store, "--upstream", "ftp://x"],
                  ["-d", store, "--upstream", ""],
                  ["-d", store, "--prot", "80"],
                  ["-d", store / "no" / "such"]):
        done = subprocess.run([story.GATEWAY, *map(str, words)],
                              capture_output=True, text=True, timeout=30,
                              check=False)
        assert done.returncode in (1, 2), (words, done)
        assert done.stderr and not done.stdout, (words, done)


def check_odd_requests(port):
    for path in ("/anything/../reports", "//anything", "/anything/./x",
                 "/anything/%2e%2e/reports", "/anything/.."):
        assert ask(port, path, "ariel-key")[0] == 400, path
    assert ask(port, "/nothing", "ariel-key")[0] == 404
    many = {f"X-{i}": "x" for i in range(70)}
    assert ask(port, "/anything", "ariel-key", headers=many)[0] == 431
    assert ask(port, "/anything", "x" * 4000)[0] == 401
    status, headers, body = ask(port, "/anything")
    assert status == 401 and b"message" in body, (status, body)
    assert "WWW-Authenticate" in headers, headers


def check_two_gateways_share_limits(store, first):
    second = story.Gateway(store)
    codes = [ask(port, "/anything", "ariel-key")[0]
             for _ in range(5) for port in (first.port, second.port)]
    assert codes.count(200) == 5 and codes.count(429) == 5, codes
    assert codes[:5] == [200] * 5, codes
    status, headers, body = ask(second.port, "/anything", "ariel-key")
    assert status == 429 and 1 <= int(headers["Retry-After"]) <= 60, headers
    assert headers["X-RateLimit-Limit-Minute"] == "5", headers
    assert headers["X-RateLimit-Remaining-Minute"] == "0", headers
    assert headers["X-RateLimit-Limit-Hour"] == "1000", headers
    assert b"message" in body
    assert second.stop() == 0
    assert used(store, "ariel") == 5


def check_no_false_alarm(store, gateway):
    """Usage of the minute that goes on is not settled yet; that is no alarm."""
    assert ask(gateway.port, "/anything", "rosario-key")[0] == 200
    done = subprocess.run([story.TOOL, "-d", store, "info"], check=True,
                          capture_output=True, text=True)
    assert done.stderr.startswith("billing: "), done.stderr
    assert "does anybody" not in done.stderr, done.stderr


def check_upstream(store):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    gateway = story.Gateway(store, words=("--upstream", url))
    # Nobody names the consumer but the gateway.
    status, headers, body = ask(
        gateway.port, "/anything/x?a=1&b=2", "load-key", "POST", b"question",
        {"X-Consumer-Username": "rosario", "X-Mine": "kept"})
    assert (status, body) == (201, b"from upstream question"), (status, body)
    assert headers["Content-Type"] == "text/x-upstream", headers
    path, sent, _ = Upstream.seen[-1]
    assert path == "/anything/x?a=1&b=2", path
    assert sent["X-Consumer-Username"] == "load", sent
    assert sent["X-Mine"] == "kept", sent
    assert ask(gateway.port, "/anything/fails", "load-key")[0] == 500
    assert len(Upstream.seen) == 2
    # Refused requests never reach it.
    assert ask(gateway.port, "/anything", "guest-key")[0] == 403
    assert ask(gateway.port, "/anything")[0] == 401
    assert len(Upstream.seen) == 2
    server.shutdown()
    server.server_close()
    thread.join()
    assert ask(gateway.port, "/anything", "load-key")[0] == 502
    assert gateway.stop() == 0
    # What upstream answered counts, also its 500; what it never saw does not.
    assert used(store, "load") == 2


def main():
    with tempfile.TemporaryDirectory() as name:
        store = pathlib.Path(name) / "store"
        story.metering(store, "apply", *(story.STORY / file for file in (
            "kong.yaml", "catalog.yaml", "load.yaml")))
        check_options(pathlib.Path(name) / "other")
        gateway = story.Gateway(store)
        check_odd_requests(gateway.port)
        check_two_gateways_share_limits(store, gateway)
        check_no_false_alarm(store, gateway)
        assert gateway.stop() == 0
        check_upstream(store)
        assert story.metering_json(store, "check")["damaged"] == 0
    print("gateway: ok")


if __name__ == "__main__":
    main()
