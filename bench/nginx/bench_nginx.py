#!/usr/bin/env python3
"""nginx with the module beside nginx alone, and beside what nginx itself has
for the same: limit_req and auth_request; and nginx with add_header lines of the
same size as the module's, which is what telling the client costs anybody. One
worker, one small file, the same load in turns: from the disk, which is the
least that nginx can do, and as a gateway, from another nginx behind it, over
connections that stay open. Requests a second, and the worker's processor time a
request.

    bench_nginx.py BUILD-DIRECTORY [--rounds N] [--seconds N]

Prints one JSON line for each: medians of the rounds, their range, and how much
more processor time than nginx alone, and than nginx with such lines, that serve
from the same place. Needs nginx and wrk."""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

KONG = {
    "_format_version": "3.0",
    "services": [{"name": "s", "url": "http://localhost", "routes": [
        {"name": "r", "paths": ["/"]}]}],
    "consumers": [{"username": "c", "keyauth_credentials": [{"key": "key"}],
                   "acls": [{"group": "all"}]}],
    "plugins": [
        {"name": "key-auth"},
        {"name": "acl", "config": {"allow": ["all"]}},
        {"name": "rate-limiting",
         "config": {"second": 1000000, "minute": 1000000}}],
    "meters": [{"key": "m", "name": "M", "event_type": "kong.api_request",
                "aggregation": "count",
                "dimensions": {"service_name": "$.service_name"}}],
}

CONFIG = """
daemon off; {user} pid {home}/pid; error_log {home}/error.log warn;
worker_processes 1;
load_module {module};
thread_pool default threads=1;
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {home}/t1; proxy_temp_path {home}/t2;
    fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4;
    scgi_temp_path {home}/t5;
    metering_store {home}/store;
    limit_req_zone $http_apikey zone=one:1m rate=1000000r/s;
    limit_req_zone $http_apikey zone=two:1m rate=1000000r/s;
    map $http_apikey $known {{ default 0; key 1; }}
    upstream behind {{ server 127.0.0.1:{behind}; keepalive 64; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{port};
        root {home};
        location /alone/ {{ alias {home}/files/; }}
        location /lines/ {{
            {lines}
            alias {home}/files/;
        }}
        location /own/ {{
            auth_request /known;
            limit_req zone=one burst=1000000 nodelay;
            limit_req zone=two burst=1000000 nodelay;
            alias {home}/files/;
        }}
        location = /known {{
            internal;
            if ($known) {{ return 204; }}
            return 401;
        }}
        location /metered/ {{ metering on; alias {home}/files/; }}
        location /gateway-alone/ {{ proxy_pass http://behind/; }}
        location /gateway-lines/ {{
            {lines}
            proxy_pass http://behind/;
        }}
        location /gateway-own/ {{
            auth_request /known;
            limit_req zone=one burst=1000000 nodelay;
            limit_req zone=two burst=1000000 nodelay;
            proxy_pass http://behind/;
        }}
        location /gateway-metered/ {{
            metering on;
            proxy_pass http://behind/;
        }}
    }}
}}
"""

BEHIND = """
daemon off; {user} pid {home}/behind.pid; error_log {home}/error.log warn;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_requests 1000000000;
    server {{ listen 127.0.0.1:{behind}; root {home}/files; }}
}}
"""

LINES = (("X-RateLimit-Limit-Second", 1000000),
         ("X-RateLimit-Remaining-Second", 999999),
         ("X-RateLimit-Limit-Minute", 1000000),
         ("X-RateLimit-Remaining-Minute", 999999),
         ("RateLimit-Limit", 1000000), ("RateLimit-Remaining", 999999),
         ("RateLimit-Reset", 60))

PLACES = (("nginx alone", "alone"),
          ("seven add_header lines", "lines"),
          ("limit_req twice and auth_request", "own"),
          ("the module: key, group, two windows, usage", "metered"),
          ("a gateway alone", "gateway-alone"),
          ("a gateway, seven add_header lines", "gateway-lines"),
          ("a gateway, limit_req twice and auth_request", "gateway-own"),
          ("a gateway, the module", "gateway-metered"))


def worker_of(master):
    """The master listens before there is a worker."""
    path = pathlib.Path(f"/proc/{master}/task/{master}/children")
    for _ in range(200):
        children = path.read_text().split()
        if children:
            return children[0]
        time.sleep(0.05)
    sys.exit("nginx has no worker")


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    ticks = sum(int(field) for field in fields.split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(port, place, seconds):
    """(requests, requests a second); every answer must be good."""
    out = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{seconds}s", "-H", "apikey: key",
         f"http://127.0.0.1:{port}/{place}/x"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(out)
    return (int(re.search(r"(\d+) requests in", out).group(1)),
            float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)))


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def serve(home, name, port):
    """nginx by one of the files, when it listens."""
    nginx = subprocess.Popen(["nginx", "-p", home, "-e", home / "error.log",
                              "-c", home / name])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return nginx
        except OSError:
            time.sleep(0.05)
    nginx.kill()
    sys.exit("nginx did not start: " + (home / "error.log").read_text())


def prepare(home, build, port, behind):
    (home / "files").mkdir()
    (home / "files" / "x").write_text("x" * 100 + "\n")
    (home / "kong.json").write_text(json.dumps(KONG))
    subprocess.run([build / "tools/metering/metering", "-d", home / "store",
                    "apply", home / "kong.json"], check=True,
                   capture_output=True)
    user = "user root;" if os.getuid() == 0 else ""
    (home / "behind.conf").write_text(BEHIND.format(
        home=home, behind=behind, user=user))
    (home / "nginx.conf").write_text(CONFIG.format(
        home=home, port=port, behind=behind, user=user,
        lines=" ".join(f"add_header {name} {value};"
                       for name, value in LINES),
        module=build / "bindings/nginx/ngx_http_metering_module.so"))


def measure(port, worker, rounds, seconds):
    found = {place: [] for _, place in PLACES}
    for _, place in PLACES:
        load(port, place, 1)  # warm
    for _ in range(rounds):
        for _, place in PLACES:
            before = processor_seconds(worker)
            count, rate = load(port, place, seconds)
            spent = processor_seconds(worker) - before
            found[place].append((spent / count * 1e6, rate))
    return found


def main():
    words = argparse.ArgumentParser()
    words.add_argument("build", type=pathlib.Path)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--seconds", type=int, default=3)
    given = words.parse_args()
    if not shutil.which("wrk") or not shutil.which("nginx"):
        sys.exit("needs nginx and wrk: tools/setup --bench")
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        port, behind = free_ports(2)
        prepare(home, given.build.resolve(), port, behind)
        running = []
        try:
            running.append(serve(home, "behind.conf", behind))
            running.append(serve(home, "nginx.conf", port))
            found = measure(port, worker_of(running[1].pid), given.rounds,
                            given.seconds)
        finally:
            for nginx in running:
                nginx.terminate()
                nginx.wait()
    for label, place in PLACES:
        where = "".join(place.rpartition("-")[:2])
        alone, lines = (statistics.median(us for us, _ in found[where + name])
                        for name in ("alone", "lines"))
        base = statistics.median(rate for _, rate in found[where + "alone"])
        micros = [us for us, _ in found[place]]
        rate = statistics.median(rate for _, rate in found[place])
        print(json.dumps({
            "case": f"nginx: {label}",
            "cpu_us": round(statistics.median(micros), 2),
            "cpu_us_low": round(min(micros), 2),
            "cpu_us_high": round(max(micros), 2),
            "more_us": round(statistics.median(micros) - alone, 2),
            "more_than_lines_us": round(statistics.median(micros) - lines, 2),
            "requests_per_second": round(rate),
            "share_of_alone": round(rate / base, 3)}))


if __name__ == "__main__":
    main()
