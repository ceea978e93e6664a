#!/usr/bin/env python3
"""The nginx module over real HTTP: what is decided and counted, and what of a
request goes where, in every way that nginx can come to an answer."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile

import nginx_host
import story

ALWAYS = {"start": "2020-01-01T00:00:00Z", "end": "2200-01-01T00:00:00Z"}

ENTITIES = """
_format_version: "3.0"
services:
  - name: api
    url: http://localhost
    routes:
      - {name: api_route, paths: [/]}
  - name: named
    url: http://localhost
    routes:
      - {name: named_route, paths: [/named-only]}
consumers:
  - username: ada
    custom_id: "17"
    keyauth_credentials: [{key: ada-key}]
  - username: bob
    keyauth_credentials: [{key: bob-key}]
  - username: poor
    keyauth_credentials: [{key: poor-key}]
  - username: slow
    keyauth_credentials: [{key: slow-key}]
plugins:
  - name: key-auth
    config: {key_names: [apikey], hide_credentials: true, key_in_body: true}
  - name: rate-limiting
    consumer: slow
    config: {minute: 4, limit_by: consumer}
"""

CATALOG = """
meters:
  - key: requests
    name: Requests
    event_type: kong.api_request
    aggregation: count
    dimensions:
      service_name: $.service_name
      status: $.response_http_status
      tenant: $.tenant
  - key: tokens
    name: Tokens
    event_type: kong.api_request
    aggregation: sum
    value_property: $.tokens
features:
  - key: calls
    name: Calls
    meter: {key: requests}
plans:
  - key: small
    name: Small
    currency: USD
    billing_cadence: P1M
    publish: true
    phases:
      - key: default
        name: Default
        rate_cards:
          - key: calls
            name: Calls
            feature: {key: calls}
            billing_cadence: P1M
            price: {type: free}
            entitlement: {type: metered, limit: 3, usage_period: P1M}
customers:
  - key: poor
    name: Poor
    currency: USD
    usage_attribution: {subject_keys: ["consumer:poor"]}
subscriptions:
  - customer: {key: poor}
    plan: {key: small}
"""


class House:
    """A store with the entities above, an upstream, and an nginx."""

    def __init__(self, directory, server, **more):
        self.root = pathlib.Path(directory)
        self.store = self.root / "store"
        (self.root / "kong.yaml").write_text(ENTITIES)
        (self.root / "catalog.yaml").write_text(CATALOG)
        story.metering(self.store, "apply", self.root / "kong.yaml",
                       self.root / "catalog.yaml")
        self.upstream = nginx_host.Upstream()
        text = server.replace("UPSTREAM",
                              f"http://127.0.0.1:{self.upstream.port}")
        self.nginx = nginx_host.Nginx(self.root / "nginx", text,
                                      store=self.store, **more)
        self.ask = self.nginx.ask

    def used(self, subject, meter="requests", group_by=(), settle=True):
        if settle:
            story.metering(self.store, "settle")
        words = ["usage", "query", "--meter", meter, "--from",
                 ALWAYS["start"], "--to", ALWAYS["end"], "--subject", subject]
        if group_by:
            words += ["--group-by", ",".join(group_by)]
        rows = story.metering_json(self.store, *words)["data"]
        found = {}
        for row in rows:
            group = tuple(row["dimensions"].get(name) for name in group_by)
            found[group] = found.get(group, 0) + int(row["value"])
        return found if group_by else sum(found.values())


@contextlib.contextmanager
def house(server, **more):
    with tempfile.TemporaryDirectory() as directory:
        made = House(directory, server, **more)
        try:
            with made.nginx:
                yield made
        finally:
            made.upstream.stop()


def wait_for(made, subject, count):
    """Usage is settled when the recorder has closed its minute."""
    nginx_host.wait_until(lambda: made.used(subject) >= count,
                          what=f"{count} requests of {subject}")
    got = made.used(subject)
    assert got == count, (subject, got, count)


# --- Configuration ------------------------------------------------------------
def check_configuration():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        nginx = nginx_host.Nginx(root / "nginx", "", is_started=False)
        for parts, words in (
                ({"server": "location / { metering on; }"},
                 '"metering on" needs "metering_store"'),
                ({"http": "metering_on_failure maybe;"}, "invalid value"),
                ({"http": "metering_headers loud;"}, "invalid value"),
                ({"http": "metering_settle_interval soon;"},
                 "invalid value"),
                ({"http": "metering_store a; metering_store b;"},
                 "is duplicate"),
                ({"server": "metering_dimension tenant;"},
                 "invalid number of arguments"),
                ({"server": "metering_dimension a 1;" * 17}, "too often"),
                ({"server": "metering_not_counted 6xx;"}, "takes statuses"),
                ({"server": "metering_not_counted 99;"}, "takes statuses"),
                ({"server": "location /a { metering_status yaml; }"},
                 "is json or prometheus"),
                ({"http": "metering_store x; metering_thread_pool none;",
                  "server": "location / { metering on; }"},
                 "unknown thread pool"),
                ({"http": "metering_store x;",
                  "server": "metering_subject $nothing;"},
                 'unknown "nothing" variable')):
            status, text = nginx.test(**{"server": "", "http": "", **parts})
            assert status == 1 and words in text, (parts, status, text)
        # A store that is not there yet is a warning; testing opens nothing.
        status, text = nginx.test(
            http=f"metering_store {root}/store;",
            server="location / { metering on; }")
        assert status == 0 and "no store in" in text, (status, text)
        assert not (root / "store").exists()


def check_without_store():
    for policy, expected in (("closed", 503), ("open", 200)):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "kong.yaml").write_text(ENTITIES)
            upstream = nginx_host.Upstream()
            with nginx_host.Nginx(
                    root / "nginx",
                    "location / { metering on; proxy_pass "
                    f"http://127.0.0.1:{upstream.port}; }}",
                    store=root / "store",
                    http=f"metering_on_failure {policy};") as nginx:
                status, _, body = nginx.ask("/x")
                assert status == expected, (policy, status, body)
                told = nginx.status()
                assert told["unavailable"] == 1, told
                assert told["failed_open"] == (policy == "open"), told
                # A store that appears is taken up.
                story.metering(root / "store", "apply", root / "kong.yaml")
                nginx_host.wait_until(
                    lambda: nginx.ask("/x")[0] == 401, what="401")
                assert nginx.log().count("store cannot be opened") == 1
            upstream.stop()


def check_settled_elsewhere():
    """Who settles with the tool takes up changes with it, too; nobody is
    served who is not entitled; headers of the IETF."""
    with house("metering on; location / { proxy_pass UPSTREAM; }",
               http="metering_settle_interval 0; metering_headers ietf;"
               "metering_require_entitlement on;") as made:
        status, _, body = made.ask("/x", "ada-key")
        assert status == 403 and b"CUSTOMER_NOT_FOUND" in body, body
        assert made.ask("/x", "poor-key")[0] == 200
        text = ENTITIES.replace("consumer: slow", "consumer: poor").replace(
            "key: bob-key", "key: new-key")
        (made.root / "kong.yaml").write_text(text)
        story.metering(made.store, "apply", made.root / "kong.yaml")
        assert made.used("consumer:poor") >= 0  # settles
        nginx_host.wait_until(lambda: made.ask("/x", "new-key")[0] == 403,
                              what="the new key")
        status, headers, _ = made.ask("/x", "poor-key")
        assert (status, headers["RateLimit-Policy"]) == (
            200, '"minute";q=4;w=60'), headers.items()
        assert made.nginx.status()["settlement"]["passes"] == 0


# --- Requests -----------------------------------------------------------------
def check_requests(made):
    status, headers, body = made.ask("/x")
    assert (status, headers["WWW-Authenticate"], body) == (
        401, "Key", b'{"message":"No API key found in request"}')
    assert headers["Content-Type"] == "application/json"
    assert made.ask("/x", "wrong")[0] == 401
    assert made.ask("/x", method="GET", headers=[("apikey", "ada-key"),
                                                 ("apikey", "bob-key")]
                    )[2] == b'{"message":"Duplicate API key found"}'
    assert not made.upstream.seen
    # In a header, the query, a form; never passed on, never logged.
    spoof = [("X-Consumer-Username", "root"), ("x-consumer-groups", "admin"),
             ("X-Credential-Identifier", "1"), ("X-Anonymous-Consumer", "no"),
             ("X-Authenticated-Groups", "admin"), ("X-Other", "kept")]
    for asked in ({"key": "ada-key", "query": "a=1&b=%20c"},
                  {"query": "a=1&apikey=ada-key&b=%20c"},
                  {"query": "%61pikey=ada-key&a=1&b=%20c"}):
        status, _, body = made.ask("/x%2Fy", headers=spoof, **asked)
        assert (status, body) == (200, b"from upstream\n"), (asked, status)
        path, seen, _ = made.upstream.seen.pop()
        assert path == "/x%2Fy?a=1&b=%20c", path
        assert seen["X-Consumer-Username"] == "ada", seen.items()
        assert seen["X-Consumer-Custom-ID"] == "17"
        assert seen.get_all("X-Other") == ["kept"]
        for name in ("X-Consumer-Username", "X-Credential-Identifier"):
            assert len(seen.get_all(name)) == 1, (name, seen.items())
        for name in ("X-Consumer-Groups", "X-Anonymous-Consumer",
                     "X-Authenticated-Groups", "apikey"):
            assert name not in seen, (name, seen.items())
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    status, _, _ = made.ask("/form", method="POST", headers=form,
                            body=b"a=1&apikey=ada-key")
    assert status == 200
    assert made.upstream.seen.pop()[2] == b"a=1&apikey=ada-key"
    assert made.ask("/form", method="POST", headers=form,
                    body=b"a=1")[0] == 401
    text = [("Content-Type", "application/json; charset=utf-8")]
    for expected, body in ((200, b'{"a": [1], "apikey": "bob-key"}'),
                           (401, b'{"a": {"apikey": "bob-key"}}'),
                           (401, b'{"apikey": "bob-key"'),
                           (401, b'{"a": "' + b"x" * 100000
                            + b'", "apikey": "bob-key"}')):
        assert made.ask("/json", method="POST", headers=text,
                        body=body)[0] == expected, body[:50]
    assert made.upstream.seen.pop()[2] == b'{"a": [1], "apikey": "bob-key"}'
    wait_for(made, "consumer:bob", 1)
    wait_for(made, "consumer:ada", 4)
    log = (made.root / "nginx" / "access.log").read_text()
    for text in (log, made.nginx.log(), str(made.nginx.status())):
        assert "ada-key" not in text and "bob-key" not in text, text


def check_limits(made):
    for left in (3, 2, 1, 0):
        status, headers, _ = made.ask("/x", "slow-key")
        assert (status, headers["X-RateLimit-Remaining-Minute"]) == (
            200, str(left))
    status, headers, body = made.ask("/x", "slow-key")
    assert (status, body) == (429, b'{"message":"API rate limit exceeded"}')
    assert 1 <= int(headers["Retry-After"]) <= 60
    # The table of windows is told of with the next settlement.
    nginx_host.wait_until(
        lambda: (made.nginx.status()["store"] or {"limiter": {
            "records_used": 0}})["limiter"]["records_used"] > 0,
        what="the limiter on the status page")
    text = made.ask("/metrics")[2].decode()
    for name in ("capacity_records", "used_records", "policies",
                 "full_refused_total", "withheld_total"):
        assert f"\nmetering_limiter_{name} " in text, name
    # An error_page of the configuration is shown in its place.
    status, headers, body = made.ask("/paged/x", "slow-key")
    assert (status, body) == (429, b"slow down\n"), (status, body)
    assert "Retry-After" in headers
    wait_for(made, "consumer:slow", 4)


def check_allowance(made):
    for _ in range(2):
        assert made.ask("/x", "poor-key")[0] == 200
    # What no upstream served costs nothing, and is given back.
    for _ in range(5):
        assert made.ask("/down", "poor-key")[0] == 502
    assert made.ask("/x", "poor-key")[0] == 200
    status, _, body = made.ask("/x", "poor-key")
    assert status == 429 and b"USAGE_LIMIT_REACHED" in body, (status, body)
    wait_for(made, "consumer:poor", 3)
    assert made.nginx.status()["not_counted"] == 5


def check_given_values(made):
    """Subject, dimensions, cost, quantity, service and route by variables."""
    def told(path, **more):
        return made.ask(path, headers=[("X-User", more.pop("user", "eve")),
                                       ("X-Tenant", "acme"),
                                       ("X-Cost", more.pop("cost", "7"))],
                        **more)
    for _ in range(3):
        assert told("/given/tokens=5")[0] == 200
    assert told("/given/none")[0] == 200  # no quantity: the cost
    assert told("/given/tokens=five")[0] == 200  # not a number
    assert told("/given/x", cost="2000000000000")[0] == 400
    assert told("/given/x", user="x" * 129)[0] == 400
    assert told("/given/x", user="\udcff".encode(
        "utf-8", "surrogateescape").decode("latin-1"))[0] == 400
    wait_for(made, "eve", 5)
    assert made.used("eve", "tokens") == 3 * 5 + 7 + 7
    assert made.used("eve", group_by=("service_name", "tenant")) == {
        ("named", "acme"): 5}
    # A stored consumer whom nginx has authenticated needs no key.
    before = made.used("consumer:bob")
    assert told("/given/x", user="consumer:bob")[0] == 200
    assert made.upstream.seen.pop()[1]["X-Consumer-Username"] == "bob"
    wait_for(made, "consumer:bob", before + 1)


# --- All ways to an answer ----------------------------------------------------
WAYS = """
    metering on;
    metering_read_form on;
    location / { proxy_pass UPSTREAM; }
    location /paged/ {
        error_page 429 =429 /slow.txt;
        proxy_pass UPSTREAM;
    }
    location = /slow.txt { root ROOT; }
    location /down { proxy_pass http://127.0.0.1:1; }
    location /given/ {
        metering_subject $http_x_user;
        metering_dimension tenant $http_x_tenant;
        metering_dimension empty $http_x_none;
        metering_cost $http_x_cost;
        metering_quantity $upstream_http_x_tokens;
        metering_service named;
        metering_route named_route;
        proxy_pass UPSTREAM;
    }
    location /feature/ {
        metering_feature $arg_feature;
        proxy_pass UPSTREAM;
    }
    location /off/ { metering off; proxy_pass UPSTREAM; }
    location = /return { return 200 "early"; }
    location /files/ { root ROOT; index index.html; }
    location /tried/ { try_files /no-such-file /files/index.html; root ROOT; }
    location /inner/ { internal; metering off; root ROOT; }
    location /late { rewrite ^ /files/index.html last; }
    location /guarded {
        auth_request /asked;
        auth_request_set $who $upstream_http_x_who;
        proxy_pass UPSTREAM;
    }
    location = /asked { internal; proxy_pass UPSTREAM/files/asked; }
    location /barred { deny all; proxy_pass UPSTREAM; }
    location /any {
        satisfy any; allow 127.0.0.1; deny all;
        proxy_pass UPSTREAM;
    }
    location /stream { proxy_buffering off; proxy_pass UPSTREAM; }
    location /page { ssi on; ssi_types text/plain; root ROOT/files;
                     default_type text/html; }
}
server {
    listen 127.0.0.1:SECOND http2;
    metering on;
    gzip on; gzip_min_length 1;
    location /files/ { root ROOT; default_type text/html; }
    location / { proxy_pass UPSTREAM; }
"""


def check_ways(made):
    files = made.root / "files"
    (files / "page").mkdir(parents=True)
    (files / "index.html").write_text("index\n")
    (files / "empty.txt").write_text("")
    (files / "page" / "ssi.html").write_text(
        'a<!--# include virtual="/files/index.html" -->b\n')
    (made.root / "slow.txt").write_text("slow down\n")
    count = made.used("consumer:ada")

    def one(path, expected, counted, **more):
        nonlocal count
        got = made.ask(path, "ada-key", **more)
        assert got[0] == expected, (path, got[0], got[2])
        count += counted
        return got

    assert one("/files/index.html", 200, 1)[2] == b"index\n"
    assert one("/files/", 200, 1)[2] == b"index\n"  # an internal redirect
    assert one("/tried/x", 200, 1)[2] == b"index\n"
    assert one("/late", 200, 1)[2] == b"index\n"
    assert one("/page/ssi.html", 200, 1)[2] == b"aindex\nb\n"
    one("/files/empty.txt", 200, 1)
    one("/files/none.txt", 404, 1)
    one("/files/index.html", 200, 1, method="HEAD")
    changed = one("/files/index.html", 200, 1)[1]["Last-Modified"]
    one("/files/index.html", 304, 1,
        headers=[("If-Modified-Since", changed)])
    one("/files/index.html", 206, 1, headers=[("Range", "bytes=1-2")])
    one("/files/index.html", 405, 1, method="POST", body=b"")
    one("/stream/x", 200, 1)
    one("/fails", 500, 1)  # the upstream's own answer
    one("/off/x", 200, 0)
    assert one("/return", 200, 0)[2] == b"early"  # never came to us
    # Who is refused by nginx itself consumes nothing; the subrequest that
    # asks does not either. satisfy cannot go round the key.
    one("/guarded", 200, 1)
    one("/barred", 403, 0)
    one("/any", 200, 1)
    assert made.ask("/any")[0] == 401
    wait_for(made, "consumer:ada", count)
    told = made.nginx.status()
    assert told["lost"] == 0 and told["admitted"] == \
        told["completed"] + told["not_counted"], told


def check_http2(made, port):
    """Compressed or in part, with and without a body: each counts once."""
    count = made.used("consumer:ada")
    for words in ([], ["--compressed"], ["-I"], ["-H", "Range: bytes=1-2"]):
        for path in ("files/index.html", "x"):
            done = subprocess.run(
                ["curl", "-s", "--http2-prior-knowledge", "-H",
                 "apikey: ada-key", "-w", "%{http_version}", "-o",
                 str(made.root / "got"), *words,
                 f"http://127.0.0.1:{port}/{path}"],
                capture_output=True, text=True, check=True, timeout=60)
            assert done.stdout == "2", (words, path, done)
            count += 1
    wait_for(made, "consumer:ada", count)


def check_aborted(made):
    """Clients that go away are counted once, and not before."""
    count = made.used("consumer:bob")
    big = made.root / "files" / "big"
    big.write_bytes(bytes(8 << 20))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", made.nginx.port)) as peer:
            peer.sendall(b"GET /files/big HTTP/1.1\r\nHost: x\r\n"
                         b"apikey: bob-key\r\n\r\n")
            assert peer.recv(100).startswith(b"HTTP/1.1 200")
    # Half a request is none.
    with socket.create_connection(("127.0.0.1", made.nginx.port)) as peer:
        peer.sendall(b"GET /files/index.html HTTP/1.1\r\napikey: bob-k")
    wait_for(made, "consumer:bob", count + 3)


# --- Processes ----------------------------------------------------------------
def check_reload(made):
    """Two generations at once; a request that began before ends after."""
    count = made.used("consumer:ada")
    client = http.client.HTTPConnection("127.0.0.1", made.nginx.port)
    client.request("GET", "/x", headers={"apikey": "ada-key"})
    assert client.getresponse().read()
    before = made.nginx.status()["requests"]
    for _ in range(3):
        made.nginx.reload()
        assert made.ask("/x", "ada-key")[0] == 200
        count += 1
    assert made.nginx.status()["requests"] == before + 3
    client.close()
    wait_for(made, "consumer:ada", count + 1)


def check_killed(made):
    count = made.used("consumer:ada")
    for _ in range(3):
        old = made.nginx.worker_pids()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        nginx_host.wait_until(
            lambda: made.nginx.worker_pids()
            and not set(made.nginx.worker_pids()) & set(old),
            what="new workers")
        nginx_host.wait_until(made.nginx.is_up)
        assert made.ask("/x", "ada-key")[0] == 200
        count += 1
    wait_for(made, "consumer:ada", count)
    passes = made.nginx.status()["settlement"]["passes"]
    nginx_host.wait_until(
        lambda: made.nginx.status()["settlement"]["passes"] > passes,
        what="settlement after the first worker was killed")


def check_changes(made):
    """A key that is taken away stops working; a new one works: within the
    tick of a worker and one settlement."""
    text = ENTITIES.replace("key: bob-key", "key: new-key")
    (made.root / "kong.yaml").write_text(text)
    story.metering(made.store, "apply", made.root / "kong.yaml")
    nginx_host.wait_until(lambda: made.ask("/x", "new-key")[0] == 200,
                          what="the new key")
    assert made.ask("/x", "bob-key")[0] == 401
    assert made.ask("/x", "ada-key")[0] == 200
    # The same for a key that another one takes the place of.
    key = story.metering_json(made.store, "credential", "rotate", "slow",
                              "--reason", "test", "--actor", "test")["key"]
    nginx_host.wait_until(lambda: made.ask("/x", key)[0] != 401,
                          what="the key in place of another")
    assert made.ask("/x", "slow-key")[0] == 401
    assert key not in made.nginx.log()


def check_plan(made):
    """A limit of a plan is for who is subscribed to it, while it is."""
    for key, feature, expected in (
            ("poor-key", "none", (403, "FEATURE_NOT_FOUND")),
            ("ada-key", "calls", (403, "CUSTOMER_NOT_FOUND")),
            ("poor-key", "calls", (429, "USAGE_LIMIT_REACHED"))):
        status, _, body = made.ask("/feature/x", key,
                                   query=f"feature={feature}")
        assert (status, json.loads(body)["reason"]) == expected, body
    (made.root / "limit.yaml").write_text(
        "plugins: [{name: rate-limiting, plan: small, config: {hour: 50}}]")
    story.metering(made.store, "apply", made.root / "limit.yaml")

    def limit(key):
        return made.ask("/x", key)[1].get("X-RateLimit-Limit-Hour")
    nginx_host.wait_until(lambda: limit("poor-key") == "50",
                          what="the plan's limit")
    assert limit("ada-key") is None
    one = story.metering_json(made.store, "list", "subscriptions")["items"][0]
    story.metering(made.store, "subscription", "cancel", one["id"])
    nginx_host.wait_until(lambda: limit("poor-key") is None,
                          what="no limit without a plan")


def check_end(made):
    """Everything is settled when nginx ends."""
    count = made.used("consumer:ada")
    assert made.ask("/x", "ada-key")[0] == 200
    made.nginx.stop()
    assert made.used("consumer:ada", settle=False) == count + 1
    for line in made.nginx.log().splitlines():
        if "[alert]" in line or "[emerg]" in line or "[crit]" in line:
            assert "exited on signal 9" in line, line
    assert story.metering(made.store, "check", "--field",
                          "damaged").strip() == "0"


def main():
    nginx_host.skip_without_nginx()
    check_configuration()
    check_without_store()
    check_settled_elsewhere()
    with house(WAYS.replace("ROOT", "WHERE"), is_started=False) as made:
        second = nginx_host.free_port()
        made.nginx.parts["server"] = made.nginx.parts["server"].replace(
            "WHERE", str(made.root)).replace("SECOND", str(second))
        made.nginx.start()
        check_requests(made)
        check_ways(made)
        check_http2(made, second)
        check_limits(made)
        check_allowance(made)
        check_given_values(made)
        check_aborted(made)
        check_reload(made)
        check_killed(made)
        check_changes(made)
        check_plan(made)
        check_end(made)
    print("the nginx module: all as expected")


if __name__ == "__main__":
    main()
