#!/usr/bin/env python3
"""The golden cases of Kong's plugins, asked of nginx over HTTP.

    nginx_golden_test.py [FILE.json]

Sections key_auth_matrix, key_auth_cases, acl_cases and sequences; each case is
a service of its own with the case's configuration. Sequences run in the time
that they name: a preloaded library answers for the clocks. The last line is
"N passed, M failed, K skipped"; what is skipped is named with its reason."""
import collections
import json
import os
import pathlib
import struct
import sys
import tempfile

import nginx_host
import story

GOLDEN = story.ROOT / "tests" / "golden" / "kong_rate_limiting.json"
SHIM = os.environ.get("METERING_CLOCK_SHIM", "")
SECOND = 10**9
WINDOWS = ("second", "minute", "hour", "day", "month", "year")

SERVER = """
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    metering on;
    metering_read_form on;
    metering_subject $http_x_subject;
    metering_groups $http_x_groups;
    location / { proxy_pass UPSTREAM; }
"""


class Skip(Exception):
    """Why a case is not asked."""


class Suite:
    """Entities of all cases of a store, and what to ask of them."""

    def __init__(self):
        self.entities = {"_format_version": "3.0", "services": [],
                         "consumers": [], "plugins": []}
        self.cases = []
        self.skipped = collections.Counter()

    def add(self, section, case, make):
        number = len(self.cases)
        try:
            ask = make(self, f"c{number}", case)
        except Skip as why:
            self.skipped[f"{section}: {why}"] += 1
            return
        self.cases.append((section, case["id"], ask))

    def service(self, name, path=None):
        self.entities["services"].append({
            "name": name, "url": "http://localhost",
            "routes": [{"name": name, "paths": [path or f"/{name}/"]}]})

    def plugin(self, name, config, service=None):
        self.entities["plugins"].append(
            {"name": name, "config": config,
             **({"service": service} if service else {})})

    def consumer(self, name, groups=(), key=None):
        self.entities["consumers"].append({
            "username": name, "acls": [{"group": group} for group in groups],
            **({"keyauth_credentials": [{"key": key}]} if key else {})})


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: expected {wanted!r}, got {got!r}")


def check_body(body, case):
    if "message" in case:
        expect("message", json.loads(body)["message"], case["message"])


# --- key-auth -----------------------------------------------------------------
def make_matrix(suite, name, case):
    suite.service(name)
    suite.plugin("key-auth", {place: case[place] for place in (
        "key_in_header", "key_in_query", "key_in_body")}, name)
    keys = {"right": "kong", "wrong": "not-kong"}
    headers, query, body = [], None, None
    if case["header"] in keys:
        headers.append(("apikey", keys[case["header"]]))
    if case["query"] in keys:
        query = "apikey=" + keys[case["query"]]
    if case["body"] in keys:
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        body = ("apikey=" + keys[case["body"]]).encode()

    def ask(world):
        status, _, _ = world.nginx.ask(
            f"/{name}/", method="POST" if body else "GET", headers=headers,
            query=query, body=body)
        expect("status", status, case["status"])
    return ask


def make_key_auth(suite, name, case):
    given = case["request"]
    if given.get("grpc"):
        raise Skip("gRPC answers are the host's")
    body, headers = None, list((given.get("headers") or {}).items())
    if "body" in given:
        headers.append(("Content-Type", given["content_type"]))
        body = given["body"]
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    suite.service(name)
    suite.plugin("key-auth", case.get("config") or {}, name)
    path, _, query = (given.get("target") or "/").partition("?")
    query = given.get("query") or query or None

    def ask(world):
        world.upstream.seen.clear()
        status, got, text = world.nginx.ask(
            f"/{name}{path}", method=given.get("method") or
            ("POST" if body else "GET"), headers=headers, query=query,
            body=body)
        expect("status", status, case["status"])
        check_body(text, case)
        if "www_authenticate" in case:
            expect("challenge", got["WWW-Authenticate"],
                   case["www_authenticate"])
        if status == 200:
            target, seen, _ = world.upstream.seen.pop()
            if "upstream_target" in case:
                expect("target", target, f"/{name}{case['upstream_target']}")
            for header, value in case.get("upstream_headers", {}).items():
                if value is None or not value.startswith("<"):
                    expect(header, seen[header], value)
                elif not seen[header]:
                    raise AssertionError(f"{header} is missing")
    return ask


# --- acl ----------------------------------------------------------------------
def make_acl(suite, name, case):
    given, config = case["input"], case["config"]
    consumer, credential = given.get("consumer"), given.get("credential")
    groups, headers = given.get("authenticated_groups"), []
    if groups is not None:
        headers.append(("X-Groups", ", ".join(groups) or ","))
    if credential and not consumer:  # of another authentication
        headers.append(("X-Subject", "somebody"))
    suite.service(name)
    suite.plugin("acl", config, name)
    who = f"{name}-{consumer}"
    if consumer:
        suite.consumer(who, given["acl_groups"], credential and f"{who}-key")
        suite.plugin("key-auth",
                     {} if credential else {"anonymous": who}, name)

    def ask(world):
        world.upstream.seen.clear()
        status, _, text = world.nginx.ask(
            f"/{name}/", headers=headers,
            key=f"{who}-key" if credential and consumer else None)
        expect("status", status, case["expect"]["status"])
        check_body(text, case["expect"])
        if status == 200:
            seen = world.upstream.seen.pop()[1]
            for header, value in (case["expect"].get("upstream_headers")
                                  or {}).items():
                expect(header, seen[header], value)
    return ask


# --- sequences ----------------------------------------------------------------
def limit_config(case):
    config = case["config"]
    if case["verdict"] == "quirk":
        raise Skip("a defect of the plugin that is not shared")
    if "oss" not in case["engine"]:
        raise Skip("rate-limiting-advanced is no plugin of the catalog: its "
                   "windows are asked of the limiter")
    if any("redis_down" in request for request in case["requests"]):
        raise Skip("there is no store of counters that could be down")
    if any(isinstance(config.get(window), float) for window in WINDOWS):
        raise Skip("a fraction of a request cannot be limited")
    kept = {key: value for key, value in config.items()
            if key in (*WINDOWS, "limit_by", "header_name", "path",
                       "hide_client_headers")}
    return {**kept, "algorithm": "calendar_utc"}


def make_sequence(suite, name, case):
    config = limit_config(case)
    services = sorted({request.get("service", "")
                       for request in case["requests"]})
    names = {service: f"{name}-{number}"
             for number, service in enumerate(services)}
    for one in names.values():
        suite.service(one)
        if len(names) == 1:
            suite.plugin("rate-limiting", config, one)
    if len(names) > 1:
        suite.plugin("rate-limiting", config)
    by_key = config.get("limit_by") == "credential" and any(
        "credential" in request for request in case["requests"])
    who = {request.get("consumer") or request.get("credential")
           for request in case["requests"]} - {None}
    for one in sorted(who):
        suite.consumer(f"{name}-{one}", key=f"{name}-{one}-key"
                       if by_key else None)
    for one in names.values() if by_key else ():
        suite.plugin("key-auth", {}, one)

    def ask(world):
        world.begin(case["epoch_s"])
        for number, request in enumerate(case["requests"]):
            world.set_time(request["t"])
            headers = list((request.get("headers") or {}).items())
            if "ip" in request:
                headers.append(("X-Real-IP", request["ip"]))
            one = request.get("consumer") or request.get("credential")
            if one and not by_key:
                headers.append(("X-Subject", f"consumer:{name}-{one}"))
            status, got, _ = world.nginx.ask(
                f"/{names[request.get('service', '')]}/", headers=headers,
                key=f"{name}-{one}-key" if one and by_key else None)
            wanted = request["expect"]
            expect(f"request {number}", status, wanted["status"])
            for header, value in wanted["headers"].items():
                expect(f"request {number} {header}", got[header], str(value))
            if config.get("hide_client_headers"):
                for header in got:
                    assert "RateLimit" not in header, header
    return ask


# --- Asking -------------------------------------------------------------------
class World:
    """nginx on a store with the entities of a suite, in a time of its own."""

    def __init__(self, root, suite):
        root.mkdir()
        (root / "kong.json").write_text(json.dumps(suite.entities))
        self.store = root / "store"
        story.metering(self.store, "apply", root / "kong.json")
        self.clock = root / "clock"
        self.mono = 10**6 * SECOND
        self.begin(1767225600)
        self.set_time(0)
        os.environ.update(LD_PRELOAD=SHIM, TEST_CLOCK=str(self.clock))
        self.upstream = nginx_host.Upstream()
        try:
            self.nginx = nginx_host.Nginx(
                root / "nginx",
                SERVER.replace("UPSTREAM",
                               f"http://127.0.0.1:{self.upstream.port}"),
                store=self.store, main="env TEST_CLOCK;")
        finally:
            del os.environ["LD_PRELOAD"]

    def begin(self, epoch):
        """Time never goes back for what measures how long something took."""
        self.epoch = epoch * SECOND
        self.mono += 10**5 * SECOND

    def set_time(self, seconds):
        moment = round(seconds * SECOND)
        data = struct.pack("=qq", self.epoch + moment, self.mono + moment)
        with open(self.clock, "r+b" if self.clock.exists() else "wb") as file:
            file.write(data)


def run(root, suite, failures):
    world = World(root, suite)
    passed = 0
    with world.nginx:
        for section, name, ask in suite.cases:
            try:
                ask(world)
                passed += 1
            except AssertionError as error:
                failures.append(f"FAIL {section} {name}\n    {error}")
        for line in world.nginx.log().splitlines():
            assert "[alert]" not in line and "[crit]" not in line, line
    world.upstream.stop()
    return passed


def main():
    nginx_host.skip_without_nginx()
    golden = json.loads(pathlib.Path(
        sys.argv[1] if len(sys.argv) > 1 else GOLDEN).read_text())
    keys, limits = Suite(), Suite()
    keys.consumer("bob", key="kong")
    keys.consumer("no-body")
    for section, suite, make in (
            ("key_auth_matrix", keys, make_matrix),
            ("key_auth_cases", keys, make_key_auth),
            ("acl_cases", keys, make_acl),
            ("sequences", limits, make_sequence)):
        for case in golden.get(section, ()):
            suite.add(section, case, make)
    failures = []
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        passed = sum(run(root / name, suite, failures)
                     for name, suite in (("keys", keys), ("limits", limits)))
    print("\n".join(failures))
    skipped = keys.skipped + limits.skipped
    for why, count in skipped.items():
        print(f"skipped {count:4} {why}")
    print(f"{passed} passed, {len(failures)} failed, "
          f"{sum(skipped.values())} skipped")
    raise SystemExit(1 if failures or passed == 0 else 0)


if __name__ == "__main__":
    main()
