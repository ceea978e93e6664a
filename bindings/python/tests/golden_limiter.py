"""Golden kinds of rate limiting: Kong's plugins request by request, with their
headers. The moment of a case stands for the monotonic clock, too."""
import itertools

import metering
from golden import SECOND, Skip, expect, kind
from metering import Algorithm, Window

NAMES = itertools.count()
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400,
           "month": 2592000, "year": 31536000}
KINDS_OF_LIMIT = {"consumer": 1, "credential": 2, "ip": 3, "service": 4,
                  "header": 5, "path": 6}


def ns(seconds):
    return int(seconds * SECOND)


class Table:
    """A policy of its own, asked in virtual time."""

    def __init__(self, folder, windows, count_denied=False):
        self.limiter = metering.Limiter(folder / f"{next(NAMES)}.map",
                                        capacity=512)
        self.policy = self.limiter.policy("golden", windows,
                                          count_denied=count_denied)

    def ask(self, key, now, cost=1, is_peek=False):
        call = self.policy.peek if is_peek else self.policy.check
        return call(key, cost, monotonic_ns=now, utc_ns=now)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.limiter.close()


def same_headers(expected, decision, is_sliding, at):
    got = {name.lower(): value for name, value in decision.headers()}
    for name, value in expected.items():
        if is_sliding and not decision and name.lower() in (
                "retry-after", "ratelimit-reset"):
            continue  # the rule is in differences.md
        expect(value, int(got.get(name.lower(), -1)), f"request {at} {name}:")


def decide(table, key, now, request, at):
    decision = table.ask(key, now)
    expect(request["expect"]["status"] == 200, decision.is_allowed,
           f"request {at}:")
    return decision


def identity(config, request):
    """Whoever has no such thing goes by the address."""
    by = config.get("limit_by", "consumer")
    value = None
    if by == "header":
        value = next((value for name, value in request.get("headers",
                                                           {}).items()
                      if name.lower() == config["header_name"].lower()), None)
    elif by == "path":
        if request.get("path") == config.get("path"):
            value = request.get("path")
    elif by != "ip":
        value = request.get(by)
    if value is None and by == "consumer":
        by, value = "credential", request.get("credential")
    if value is None:
        by, value = "ip", request.get("ip")
    return metering.limiter_key(value or "", kind=KINDS_OF_LIMIT[by])


def calendar_sequence(item, folder):
    config = item["config"]
    if item.get("verdict") == "quirk":
        raise Skip("a defect of the plugin that is not shared")
    if any("redis_down" in request for request in item["requests"]):
        raise Skip("there is no store of counters that could be down")
    limits = {name: config[name] for name in PERIODS
              if config.get(name) is not None}
    if any(not isinstance(limit, int) for limit in limits.values()):
        raise Skip("a fraction of a request cannot be limited")
    windows = [Window(limit, PERIODS[name] * SECOND, Algorithm.CALENDAR_UTC)
               for name, limit in limits.items()]
    with Table(folder, windows) as table:
        for i, request in enumerate(item["requests"]):
            now = ns(item["epoch_s"] + request["t"])
            decision = decide(table, identity(config, request), now, request,
                              i)
            if config.get("hide_client_headers"):
                expect({}, request["expect"]["headers"])
                assert not request["expect"]["headers"]
            else:
                same_headers(request["expect"]["headers"], decision, False, i)


@kind("sequences")
def sequence(item, folder):
    if "oss" in item["engine"]:
        calendar_sequence(item, folder)
        return
    config = item["config"]
    is_sliding = "(sliding" in item["engine"]
    algorithm = Algorithm.SLIDING_COUNTER if is_sliding \
        else Algorithm.FIXED_EPOCH
    windows = [Window(limit, ns(length), algorithm) for limit, length
               in zip(config["limit"], config["window_size"])]
    with Table(folder, windows, is_sliding
               and not config.get("disable_penalty")) as table:
        for i, request in enumerate(item["requests"]):
            key = request["consumer"]
            now = ns(item["epoch_s"] + request["t"])
            decision = decide(table, key, now, request, i)
            same_headers(request["expect"]["headers"], decision, is_sliding, i)
            if not decision:  # the wait is exact
                assert not table.ask(key, now + decision.wait_ns - 1, 1, True)
                assert table.ask(key, now + decision.wait_ns, 1, True)


@kind("sliding_window_arithmetic")
def arithmetic(item, folder):
    length = ns(item["window_s"])
    now = 1000 * length + ns(item["offset_s"])
    cost, limit = item["cost"], item["limit"]
    waits = item.get("exact_min_wait_s", {}) if limit >= cost else {}
    with Table(folder, Window(limit, length, Algorithm.SLIDING_COUNTER),
               True) as table:
        def same_wait(name):
            if name in waits:
                wait = table.ask("key", now, 1, True).wait_ns
                expect(waits[name], -(-wait // SECOND), name)
        for _ in range(item["prev_count"]):
            table.ask("key", 1000 * length - 1)
        for _ in range(item["cur_count_before"]):
            table.ask("key", 1000 * length)
        same_wait("denied_not_counted")
        decision = table.ask("key", now, cost or 1, cost == 0)
        expect(item["admit_exact"], decision.is_allowed)
        if cost <= limit:
            expect(item["remaining"], decision.windows[0].remaining)
        same_wait("denied_counted")


def bounds(folder, length, algorithm, start, now, reset):
    """A limit of 1, used a nanosecond before the window and in it: the first
    does not weigh in it, the second until the end that the case tells."""
    with Table(folder, Window(1, length, algorithm)) as table:
        now = max(now, 1)
        if start > 1:
            assert table.ask("key", start - 1)
        assert table.ask("key", max(start, 1)), "begins elsewhere"
        refused = table.ask("key", now)
        assert not refused
        expect(reset, -(-refused.wait_ns // SECOND), f"{length}:")
        assert table.ask("key", now + refused.wait_ns, 1, True)


@kind("epoch_windows")
def epoch(item, folder):
    bounds(folder, ns(item["window_s"]), Algorithm.FIXED_EPOCH,
           ns(item["window_start_s"]), ns(item["now_s"]),
           item["fixed_reset_s"])


@kind("calendar_windows")
def calendar(item, folder):
    for name, seconds in PERIODS.items():
        bounds(folder, seconds * SECOND, Algorithm.CALENDAR_UTC,
               item["window_start_ms"][name] * 1_000_000, ns(item["now_s"]),
               item["true_reset_s"][name])


@kind("config_validation")
def config(item, folder):
    """Through the catalog: the plugin's configuration is taken or not."""
    with metering.open(folder / f"{next(NAMES)}", create=True) as store:
        try:
            report = store.apply({"plugins": [
                {"name": "rate-limiting", "config": item["config"]}]},
                dry_run=True)
        except metering.UnsupportedError as error:
            raise Skip(error.reason) from error
        except metering.InvalidError as error:
            assert not item["ok"], error
            wanted = item.get("error", "")
            if wanted.startswith("The limit for ") \
                    or wanted == "required field missing":
                assert wanted in error.reason, error
            return
        if not item["ok"] and report["ignored"]:
            raise Skip(f"{report['ignored'][0]['name']} is not served")
        assert item["ok"], report
