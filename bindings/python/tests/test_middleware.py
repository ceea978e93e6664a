"""Both middlewares: called by hand, and behind real servers."""
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPException

import pytest

import metering
from metering.answer import normalised
from metering.asgi import Metering as AsgiMetering
from metering.settler import Host, Settler
from metering.wsgi import Metering as WsgiMetering

from apps import ahello, hello
from conftest import CATALOG, counted
from servers import ask, children, gunicorn, uvicorn


@pytest.mark.parametrize("path, plain", [
    ("/", "/"), ("/a/b", "/a/b"), ("/a//b", "/a/b"), ("/a/./b", "/a/b"),
    ("/a/../b", "/b"), ("/../../b", "/b"), ("/a/b/..", "/a/"), ("//", "/"),
    ("/a/b/", "/a/b/"), ("/a/.", "/a/"), ("/.a/..b", "/.a/..b")])
def test_paths_are_normalised(path, plain):
    assert normalised(path) == plain


def call_wsgi(app, path="/anything", headers=(), method="GET"):
    said = []

    def start_response(status, pairs, *error):
        said.append((int(status[:3]), dict(pairs)))
        return lambda data: None
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path,
               "REMOTE_ADDR": "127.0.0.1", "QUERY_STRING": "", **dict(headers)}
    body = app(environ, start_response)
    try:
        data = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    return said[0][0], said[0][1], data


KEY = {"HTTP_APIKEY": "ariel-key"}


@pytest.fixture
def wsgi(store, path):
    app = WsgiMetering(hello, path, settle=False, headers="kong")
    yield app
    app.close()


def test_wsgi_decides_and_counts(wsgi, store):
    status, headers, body = call_wsgi(wsgi, headers=KEY)
    assert (status, body) == (200, b"ariel")
    assert headers["RateLimit-Limit"] == "100000"
    assert call_wsgi(wsgi, "/anything/stream", KEY)[2] == b"ariel" * 3
    status, headers, body = call_wsgi(wsgi)
    assert status == 401 and "WWW-Authenticate" in headers
    assert b"message" in body
    assert call_wsgi(wsgi, "/nowhere", KEY)[0] == 404
    with pytest.raises(RuntimeError):
        call_wsgi(wsgi, "/anything/fail", KEY)
    assert counted(store) == 3


def test_wsgi_sends_on_what_the_gateway_says(wsgi):
    forged = {**KEY, "HTTP_X_CONSUMER_USERNAME": "root"}
    body = call_wsgi(wsgi, "/anything/environ", forged)[2].decode()
    assert "'HTTP_X_CONSUMER_USERNAME': 'ariel'" in body


# What only the host knows: groups of its own authentication, a key in a body,
# a feature that a request uses.
HOSTED = {"_format_version": "3.0", "services": [
    {"name": "hosted", "url": "http://localhost", "routes": [
        {"name": "hosted", "paths": ["/hosted"]},
        {"name": "body", "paths": ["/body"], "plugins": [
            {"name": "key-auth", "config": {"key_names": ["apikey"],
                                            "key_in_body": True}}]}]}],
    "plugins": [{"name": "acl", "route": "hosted",
                 "config": {"allow": ["staff"]}}]}
KNOWN = [
    ("/hosted", {"groups": "others,staff"}, 200),
    ("/hosted", {"groups": b"others"}, 403),
    ("/hosted", {"groups": ""}, 403),
    ("/hosted", {"groups": "staff", "feature": "no_such"}, 403),
    ("/anything", {"feature": "example_service",
                   "subject": "consumer:ariel"}, 200),
    ("/body", {"subject": None, "json": '{"apikey": "ariel-key"}'}, 200),
    ("/body", {"subject": None, "json": b"{}"}, 401)]


@pytest.mark.parametrize("path_asked, more, status", KNOWN)
def test_the_host_knows_more(store, path, path_asked, more, status):
    store.apply(HOSTED)
    more = {"subject": "somebody", **more}
    app = WsgiMetering(hello, path, settle=False, more=lambda environ: more)
    assert call_wsgi(app, path_asked)[0] == status
    app.close()
    app = AsgiMetering(ahello, path, settle=False, more=lambda scope: more)
    assert call_asgi(app, path=path_asked, key=None)[0]["status"] == status
    app.close()
    with store.gateway() as gateway:
        one, = gateway.admit_many([None], "GET", path_asked, **more)
        assert one.status == status
        if one:
            one.complete(served=False)
        with pytest.raises(TypeError, match="^groups: "):
            gateway.admit("GET", groups=["staff"])


def test_wsgi_counts_before_the_last_piece(store, path):
    seen = []

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "6")])
        admission = environ["metering.admission"]
        for _ in range(3):
            seen.append(admission.is_completed)
            yield b"ab"
            seen.append(admission.is_completed)

    wrapped = WsgiMetering(app, path, settle=False)
    assert call_wsgi(wrapped, headers=KEY)[2] == b"ababab"
    wrapped.close()
    assert seen == [False, False, False, False, False, True]
    assert counted(store) == 1


def call_asgi(app, kind="http", path="/anything", key=b"ariel-key"):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)
    scope = {"type": kind, "method": "GET", "path": path, "query_string": b"",
             "headers": [(b"apikey", key)] if key else [],
             "client": ("127.0.0.1", 1)}
    asyncio.run(app(scope, receive, send))
    return sent


def test_asgi_decides_and_counts(store, path):
    app = AsgiMetering(ahello, path, settle=False)
    sent = call_asgi(app)
    assert sent[0]["status"] == 200 and sent[1]["body"] == b"ariel"
    assert b"RateLimit-Limit" in dict(sent[0]["headers"])
    assert call_asgi(app, key=b"x")[0]["status"] == 401
    with pytest.raises(RuntimeError):
        call_asgi(app, path="/anything/fail")
    refused = call_asgi(app, kind="websocket", key=b"x")
    assert refused == [{"type": "websocket.close", "code": 1008}]
    app.close()
    assert counted(store) == 2


def test_one_wsgi_application_serves_many_threads(wsgi, store):
    def work():
        for _ in range(50):
            assert call_wsgi(wsgi, headers=KEY)[0] == 200
    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert counted(store) == 200


def test_a_settler_settles(store, path):
    with store.recorder() as recorder:
        recorder.add("kong.api_request", "ariel")
        with Settler(path, 0.01) as settler:
            end = time.monotonic() + 20
            while settler.rounds < 3 and time.monotonic() < end:
                time.sleep(0.01)
    with store.usage("api_requests") as rows:
        assert [row.value for row in rows] == [1]
    with pytest.raises(ValueError):
        Settler(path, 0)


def test_a_settler_may_be_a_process(store, path):
    with store.recorder() as recorder:
        recorder.add("kong.api_request", "ariel")
        process = subprocess.Popen([sys.executable, "-m", "metering.settler",
                                    str(path), "--interval", "0.01"])
        end = time.monotonic() + 20
        found = []
        while not found and time.monotonic() < end:
            time.sleep(0.02)
            found = [row.value for row in store.usage("api_requests")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert found == [1]


def test_a_settler_goes_on_after_an_error(tmp_path, caplog):
    settler = Settler(tmp_path / "none", 0.01).start()
    end = time.monotonic() + 20
    while not caplog.records and time.monotonic() < end:
        time.sleep(0.01)
    metering.open(tmp_path / "none", create=True).close()
    while not settler.rounds and time.monotonic() < end:
        time.sleep(0.01)
    settler.stop()
    assert len(caplog.records) == 1 and settler.rounds


def answered(port, count, path="/anything"):
    """How many of so many requests were answered 200."""
    good = 0
    for _ in range(count):
        try:
            good += ask(port, path)[0] == 200
        except (OSError, HTTPException):  # none, or half of one
            pass
    return good


@pytest.mark.parametrize("words", [
    ("--workers", "2", "--preload"),
    ("--worker-class", "gthread", "--threads", "4")])
def test_gunicorn(store, path, tmp_path, words):
    with gunicorn(path, tmp_path, *words) as server:
        status, headers, body = ask(server.port)
        assert (status, body) == (200, b"ariel")
        assert headers["ratelimit-limit"] == "100000"
        assert ask(server.port, key=None)[0] == 401
        assert answered(server.port, 20, "/anything/stream") == 20
        assert server.stop() == 0
    with store.usage("api_requests") as rows:  # the workers have settled
        assert sum(row.value for row in rows) == 21


def test_uvicorn(store, path, tmp_path):
    with uvicorn(path, tmp_path) as server:
        status, headers, body = ask(server.port)
        assert (status, body) == (200, b"ariel")
        assert headers["ratelimit-limit"] == "100000"
        assert ask(server.port, key="wrong")[0] == 401
        assert answered(server.port, 20, "/anything/stream") == 20
        assert ask(server.port, "/anything/fail")[0] == 500
        server.stop()
    with store.usage("api_requests") as rows:
        assert sum(row.value for row in rows) == 22


def wait_for(fact):
    """Until it is there, however busy the machine is."""
    for _ in range(12000):
        if fact():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def kill_children(pid):
    """How many there were to be killed."""
    count = 0
    for child in children(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
            count += 1
    return count


def test_a_killed_worker_loses_nothing(store, path, tmp_path):
    """Usage is what was answered, and at most one request per worker and kill
    that was counted and not answered any more."""
    kills, good, stop = 0, [], threading.Event()
    # gunicorn's signal is lost on a worker that has just begun: not 30 seconds
    with gunicorn(path, tmp_path, "--workers", "2", "--preload",
                  "--graceful-timeout", "2") as server:
        def load():
            while not stop.is_set():
                good.append(answered(server.port, 1))
        threads = [threading.Thread(target=load) for _ in range(3)]
        for one in threads:
            one.start()
        for turn in range(1, 6):  # under load: each time after answers
            wait_for(lambda: sum(good) >= 15 * turn)
            killed = []  # those of before may be gone, and others not there
            wait_for(lambda: killed.append(kill_children(server.process.pid))
                     or killed[-1])
            kills += killed[-1]
        wait_for(lambda: sum(good) >= 90)
        stop.set()
        for one in threads:
            one.join()
        server.stop()
    assert kills >= 5
    assert sum(good) <= counted(store) <= sum(good) + kills


def test_requests_never_wait_for_a_compilation(store, path):
    """Their gateway takes in what the other one has compiled."""
    host = Host(path, False, 3600.0)
    try:
        gateway = host.gateway()
        store.apply({"consumers": [{
            "username": "vera", "keyauth_credentials": [{"key": "vera-key"}]}]})

        time.sleep(1.1)  # a handle looks at the catalog once a second
        gateway.tick()
        assert gateway.stats()["snapshot"]["consumers"] == 1

        def is_known():
            host.tick()
            return gateway.stats()["snapshot"]["consumers"] == 2
        wait_for(is_known)
        assert gateway.stats()["snapshot"]["compiled"] == 0
    finally:
        host.close()


def test_a_change_of_the_catalog_reaches_the_workers(store, path, tmp_path):
    with gunicorn(path, tmp_path) as server:
        assert ask(server.port)[0] == 200
        store.remove_entity("consumer", "ariel")
        end = time.monotonic() + 20
        while ask(server.port)[0] == 200 and time.monotonic() < end:
            time.sleep(0.05)
        assert ask(server.port)[0] == 401
        store.apply({"consumers": CATALOG["consumers"]})
        while ask(server.port)[0] == 401 and time.monotonic() < end:
            time.sleep(0.05)
        assert ask(server.port)[0] == 200
