#!/usr/bin/env python3
"""Clients that mean no good, over HTTP: what they send is refused or is
nobody's usage, memory stays bounded, nothing of it is in a log, and everybody
else is served meanwhile.

    nginx_abuse_test.py [--keys N]     so many different unknown keys"""
import argparse
import pathlib
import random
import re
import socket
import tempfile
import time

import nginx_host
import story

ENTITIES = """
_format_version: "3.0"
services:
  - name: api
    url: http://localhost
    routes: [{name: api_route, paths: [/]}]
consumers:
  - {username: ada, keyauth_credentials: [{key: secret-of-ada}]}
plugins:
  - name: key-auth
    config: {key_names: [apikey, api_key], hide_credentials: true}
  - name: acl
    service: api
    config: {deny: [admins]}
"""

METER = """
meters:
  - key: api_requests
    name: Requests
    event_type: kong.api_request
    aggregation: count
    dimensions: {agent: $.request_user_agent, uri: $.request_uri}
"""

KEY = b"secret-of-ada"
SPOOFED = ("X-Consumer-ID", "X-Consumer-Username", "X-Consumer-Custom-ID",
           "X-Consumer-Groups", "X-Credential-Identifier",
           "X-Anonymous-Consumer", "X-Authenticated-Groups",
           "x_consumer_username", "X-CONSUMER_groups", "api-key", "API_KEY")


def send(port, data, wait=10):
    """Status of the first answer to raw bytes; 0 when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as peer:
        peer.sendall(data)
        got = b""
        while b"\r\n" not in got:
            more = peer.recv(4096)
            if not more:
                return 0
            got += more
        return int(got.split(b" ")[1])


def request(path=b"/x", headers=(), method=b"GET"):
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: abuse",
             b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def check_odd_requests(port, upstream):
    """Status of each; only what has exactly one right key is let in."""
    key = b"apikey: " + KEY
    long = b"x" * 8000
    astray = b"in-no-place-for-keys"
    for expected, data in (
            (401, request()),
            (401, request(headers=[b"apikey: " + long])),
            (401, request(headers=[b"apikey: \xff\xfe\x80"])),
            (401, request(headers=[b"apikey: " + KEY + b"\xc0\x80"])),
            (401, request(headers=[key, key])),
            (401, request(headers=[key, b"APIKEY: other"])),
            (401, request(headers=[b"apikey:"])),
            (401, request(headers=[b"apikey: " + KEY[:-1]])),
            (401, request(headers=[b"apikey: " + KEY + b"x"])),
            (401, request(headers=[b"apikey: " + KEY.upper()])),
            (401, request(b"/x?apikey[]=" + astray)),
            (401, request(b"/x?apikey=" + KEY + b"&apikey=" + KEY)),
            (401, request(b"/x?apikey=" + KEY + b"%00")),
            (401, request(b"/x?apikey=" + KEY + b"%")),
            (401, request(b"/x?apikey=%ff%fe")),
            (401, request(b"/x?APIastray=" + astray)),
            (401, request(b"/x?apikey=" + long[:6000])),
            (401, request(b"/x?a%00pikey=" + astray)),
            (401, request(b"/x;apikey=" + astray)),
            (401, request(b"/x#apikey=" + astray)),
            (401, request(b"/x?" + b"&" * 5000)),
            (401, request(headers=[b"apikey: wrong"], path=b"/x?apikey="
                          + KEY)),  # the first place decides
            (400, request(b"/x%00y", headers=[key])),
            (400, request(b"/%zz", headers=[key])),
            (400, request(headers=[key, b"big: " + b"y" * 40000])),
            (414, request(b"/" + b"z" * 40000, headers=[key])),
            (405, request(headers=[key], method=b"TRACE")),
            (400, b"\x16\x03\x01\x00\xff\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\n\r\n"),
            (200, request(headers=[key])),
            (200, request(b"/x?%61%70%69%6b%65%79=" + KEY)),
            (200, request(b"/x?apikey=%73" + KEY[1:])),
            (200, request(b"/%ff%fe/../x", headers=[key])),
            (200, request(headers=[key, b"User-Agent: \xff\xfe\x01"])),
            (200, request(headers=[key] + [b"h%d: v" % i
                                           for i in range(90)]))):
        got = send(port, data)
        assert got == expected, (data[:200], expected, got)
    upstream.seen.clear()
    assert send(port, request(headers=[key] + [
        name.encode() + b": root" for name in SPOOFED
        if name.lower() not in ("api-key", "api_key")])) == 200
    seen = upstream.seen.pop()[1]
    assert seen["X-Consumer-Username"] == "ada"
    assert "root" not in seen.values(), seen.items()
    for name in seen:
        assert name.lower().replace("_", "-") != "apikey", name


def check_unknown_keys(port, nginx, count):
    """Pipelined, each another: no growth, and the good ones are served."""
    source = random.Random(8)
    pids = nginx.worker_pids()

    def flood(number):
        with socket.create_connection(("127.0.0.1", port),
                                      timeout=60) as peer:
            while number > 0:
                part = min(number, 100)
                number -= part
                peer.sendall(b"".join(
                    b"GET /x HTTP/1.1\r\nHost: a\r\napikey: %032x\r\n\r\n"
                    % source.getrandbits(128) for _ in range(part)))
                got, tail = 0, b""
                while got < part:
                    tail += peer.recv(1 << 16)
                    got += tail.count(b"HTTP/1.1 401")
                    assert b"HTTP/1.1 2" not in tail
                    tail = tail[-11:] if got < part else b""
                    tail = tail.replace(b"HTTP/1.1 401", b"")
    flood(max(2000, count // 10))
    before = sum(memory(pid) for pid in pids)
    flood(count)
    assert send(port, request(headers=[b"apikey: " + KEY])) == 200
    grown = sum(memory(pid) for pid in pids) - before
    print(f"{count} unknown keys: workers grew by {grown} KiB")
    assert nginx.worker_pids() == pids and grown < 4096, grown


def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text).group(1))


def check_slow_clients(port):
    """Many that send a byte now and then keep nobody waiting."""
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for peer in slow:
        peer.sendall(b"GET /x HTTP/1.1\r\nHost: slow\r\napikey: secr")
    began = time.monotonic()
    for _ in range(20):
        assert send(port, request(headers=[b"apikey: " + KEY])) == 200
    assert time.monotonic() - began < 30
    for peer in slow:
        peer.close()


def main():
    nginx_host.skip_without_nginx()
    words = argparse.ArgumentParser()
    words.add_argument("--keys", type=int, default=20000)
    count = words.parse_args().keys
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        store = root / "store"
        (root / "kong.yaml").write_text(ENTITIES)
        (root / "meter.yaml").write_text(METER)
        story.metering(store, "apply", root / "kong.yaml",
                       root / "meter.yaml")
        upstream = nginx_host.Upstream()
        with nginx_host.Nginx(
                root / "nginx",
                "underscores_in_headers on; location / { metering on; "
                f"proxy_pass http://127.0.0.1:{upstream.port}; }}",
                store=store, workers=2) as nginx:
            check_odd_requests(nginx.port, upstream)
            check_unknown_keys(nginx.port, nginx, count)
            check_slow_clients(nginx.port)
            told = nginx.status()
            assert told["lost"] == 0 and told["invalid"] == 0, told
            nginx_host.wait_until(lambda: story.metering(store, "settle")
                                  and sum(story.usage(
                                      store, start="2020-01-01T00:00:00Z",
                                      end="2200-01-01T00:00:00Z").values())
                                  == told["completed"], what="usage")
            nginx.stop()
            everything = [nginx.log(), str(told)]
            everything += [path.read_text(errors="replace") for path in (
                root / "nginx" / "access.log",)]
        upstream.stop()
        # Not in a log; nor anywhere in the store, where only hashes are.
        for text in everything:
            for line in text.splitlines():
                assert KEY.decode() not in line, line
        for path in store.rglob("*"):
            if path.is_file():
                assert KEY not in path.read_bytes(), path


if __name__ == "__main__":
    main()
