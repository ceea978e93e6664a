#!/usr/bin/env python3
"""What happens inside of nginx to one request: pages for errors, fallbacks,
mirrors, redirects by an upstream's header. Each request that is served is
admitted and counted once, as what it was answered with."""
import http.server
import os
import tempfile
import threading

import nginx_host
import nginx_test
import story

SPOOFED = ["X-Consumer-ID", "X-Consumer-Custom-ID", "X-Consumer-Username",
           "X-Credential-Identifier", "X-Anonymous-Consumer",
           "X-Consumer-Groups", "X-Authenticated-Groups"]

SERVER = """
    metering on;
    location / { proxy_pass UPSTREAM; }
    # Served from elsewhere when there is no file.
    location /static/ { metering off; root ROOT; error_page 404 = @app; }
    location /always/ { metering off; root ROOT; error_page 404 =200 @app; }
    location /again/ {
        metering off; root ROOT; recursive_error_pages on;
        error_page 404 = @app;
    }
    location @app { error_page 429 /slow.txt; proxy_pass UPSTREAM; }
    # A page that says what was refused elsewhere.
    location /barred/ { deny all; error_page 403 /pages/barred; }
    location /barred_too/ {
        deny all; recursive_error_pages on; error_page 403 /pages/barred;
    }
    location /pages/ { root ROOT; }
    # Subrequests that are logged beside the request they are for.
    location /mirrored/ {
        log_subrequest on; mirror /copy; proxy_pass UPSTREAM;
    }
    location = /copy {
        internal; metering off; log_subrequest on;
        proxy_pass http://127.0.0.1:1;
    }
    location /sent/ {
        metering_quantity $upstream_http_x_tokens;
        metering_not_counted 4xx;
        metering_dimension tenant sent;
        proxy_pass http://127.0.0.1:SENDER;
    }
    location /inner/ { internal; root ROOT; }
"""


class Sender:
    """An upstream that leaves the answer to nginx: X-Accel-Redirect."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("X-Accel-Redirect",
                                 "/inner/" + self.path.split("/")[-1])
                self.send_header("X-Tokens", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Story:
    def __init__(self, made):
        self.made = made
        self.statuses = {}

    def ask(self, path, expected, counted=None, key="ada-key"):
        """counted: the status that is counted for it, if any."""
        status, headers, body = self.made.ask(path, key)
        assert status == expected, (path, status, body)
        if counted is not None:
            name = (str(counted),)
            self.statuses[name] = self.statuses.get(name, 0) + 1
        return headers, body

    def check(self):
        total = sum(self.statuses.values())
        nginx_host.wait_until(
            lambda: self.made.used("consumer:ada") >= total,
            what=f"{total} requests, not {self.made.used('consumer:ada')}")
        got = self.made.used("consumer:ada", group_by=("status",))
        assert got == self.statuses, (got, self.statuses)


def check_fallbacks(served):
    """Whoever is served by a metered location needs a key there, and pays."""
    for path in ("/static/x", "/always/x", "/again/x"):
        served.ask(path, 200, 200)
        headers, body = served.ask(path, 401, key=None)
        assert body == b'{"message":"No API key found in request"}', body
        assert headers["WWW-Authenticate"], headers
        served.ask(path, 401, key="nobody-key")
    headers, body = served.ask("/static/here.txt", 200, key=None)
    assert body == b"here\n"
    served.check()


def check_pages(served):
    """Who is refused elsewhere sees its page, and needs no key for it."""
    for path in ("/barred/x", "/barred_too/x"):
        for key in (None, "ada-key"):
            _, body = served.ask(path, 403, key=key)
            assert body == b"barred\n", body
    served.check()


def check_mirrors(served):
    """A copy that fails is not what the client was answered."""
    for _ in range(3):
        served.ask("/mirrored/x", 200, 200)
    served.check()


def check_sent(served):
    """What the admitting location says of usage holds to the end."""
    made = served.made
    before = made.used("consumer:ada", "tokens")
    served.ask("/sent/here.txt", 200, 200)
    served.check()
    assert made.used("consumer:ada", "tokens") == before + 7
    told = made.nginx.status()["not_counted"]
    served.ask("/sent/none.txt", 404)
    served.check()
    nginx_host.wait_until(
        lambda: made.nginx.status()["not_counted"] == told + 1,
        what="an answer that is not counted")


def check_open():
    """Nobody says who they are, not even while nothing can be decided."""
    upstream = nginx_host.Upstream()
    with tempfile.TemporaryDirectory() as root, nginx_host.Nginx(
            root + "/nginx", "location / { metering on; proxy_pass "
            f"http://127.0.0.1:{upstream.port}; }}", store=root + "/none",
            http="metering_on_failure open;") as nginx:
        status, _, _ = nginx.ask("/x?page=2", headers=[
            *((name, "root") for name in SPOOFED), ("X-Other", "kept")])
        assert status == 200 and nginx.status()["failed_open"] == 1
        path, seen, _ = upstream.seen.pop()
        assert path == "/x?page=2" and seen["X-Other"] == "kept", path
        for name in SPOOFED:
            assert name not in seen, seen.items()
    upstream.stop()


def check_blind():
    """The same when somebody has cut the compiled catalog short."""
    with nginx_test.house(
            "metering on; location / { proxy_pass UPSTREAM; }",
            http="metering_on_failure open; metering_settle_interval 0;"
            ) as made:
        assert made.ask("/x", "ada-key")[0] == 200
        made.upstream.seen.clear()
        for path in (made.store / "gateway").iterdir():
            os.truncate(path, 0)
        status, _, _ = made.ask("/x", query="page=2&a=%20", headers=[
            (name, "root") for name in SPOOFED])
        assert status == 200 and made.nginx.status()["failures"][
            "snapshot"] > 0, (status, made.nginx.status())
        path, seen, _ = made.upstream.seen.pop()
        assert path == "/x?page=2&a=%20", path
        for name in SPOOFED:
            assert name not in seen, seen.items()


def check_other_store():
    """A reload may lead to another store, or to none and back."""
    with nginx_test.house(
            "metering on; location / { proxy_pass UPSTREAM; }") as made:
        nginx, server = made.nginx, made.nginx.parts["server"]
        first, second = made.store, made.root / "second"
        story.metering(second, "apply", made.root / "kong.yaml",
                       made.root / "catalog.yaml")

        def reload(store, text):
            old = set(nginx.worker_pids())
            nginx.store = store
            nginx.reload(server=text)
            nginx_host.wait_until(
                lambda: not old & set(nginx.worker_pids()),
                what="the end of the old workers")

        def ask(count):
            for _ in range(count):
                assert made.ask("/x", "bob-key")[0] == 200

        ask(3)
        reload(second, server)
        ask(5)
        reload(second, server.replace("metering on;", "metering off;"))
        assert made.ask("/x")[0] == 200
        reload(first, server)
        assert made.ask("/x")[0] == 401
        ask(2)
        nginx.stop()
        for store, count in ((first, 5), (second, 5)):
            made.store = store
            assert made.used("consumer:bob") == count, (store, count)
        assert "[alert]" not in nginx.log(), nginx.log()


def main():
    nginx_host.skip_without_nginx()
    check_open()
    check_blind()
    check_other_store()
    sender = Sender()
    server = SERVER.replace("SENDER", str(sender.port))
    with nginx_test.house(server, is_started=False) as made:
        (made.root / "static").mkdir()
        (made.root / "static" / "here.txt").write_text("here\n")
        (made.root / "inner").mkdir()
        (made.root / "inner" / "here.txt").write_text("inner\n")
        (made.root / "pages").mkdir()
        (made.root / "pages" / "barred").write_text("barred\n")
        made.nginx.parts["server"] = made.nginx.parts["server"].replace(
            "ROOT", str(made.root))
        made.nginx.start()
        served = Story(made)
        check_fallbacks(served)
        check_pages(served)
        check_mirrors(served)
        check_sent(served)
        told = made.nginx.status()
        assert told["lost"] == 0 and told["admitted"] == \
            told["completed"] + told["not_counted"], told
    sender.stop()
    print("inside of nginx: each request is decided and counted once")


if __name__ == "__main__":
    main()
