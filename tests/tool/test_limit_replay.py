"""limit replay: decisions in virtual time, without a store."""
import json

import pytest


def rows(count, step_ms=1000, key="k", **more):
    return "".join(json.dumps({
        "time": f"2026-01-01T00:{i * step_ms // 60000:02}:"
                f"{i * step_ms // 1000 % 60:02}.{i * step_ms % 1000:03}Z",
        "key": key, **more}) + "\n" for i in range(count))


def replay(tool, text, *options):
    out, err = tool.run("limit", "replay", "-", *options, stdin=text,
                        store=False)
    return [json.loads(line) for line in out.splitlines()], err


def test_five_a_minute(tool):
    decisions, err = replay(tool, rows(66), "--limit", "5/minute")
    allowed = [i for i, row in enumerate(decisions) if row["is_allowed"]]
    assert allowed[:5] == [0, 1, 2, 3, 4]
    # A hit is forgotten when it is older than the window.
    assert len(allowed) <= 10 and allowed[5] in (60, 61)
    assert f"66 requests: {len(allowed)} allowed" in err
    assert 54_000_000_000 < decisions[5]["wait_ns"] < 56_000_000_000


def test_two_windows_and_keys(tool):
    decisions, _ = replay(tool, rows(4) + "", "--limit", "3/1m", "--limit",
                          "2/10s")
    assert [row["is_allowed"] for row in decisions] == [True, True, False,
                                                        False]
    assert [w["limit"] for w in decisions[0]["windows"]] == [2, 3]


def test_cost(tool):
    decisions, _ = replay(tool, rows(3, cost=2), "--limit", "5/minute")
    assert [row["is_allowed"] for row in decisions] == [True, True, False]


def test_the_same_every_time(tool):
    text = rows(200, 300)
    assert replay(tool, text, "--limit", "10/minute") \
        == replay(tool, text, "--limit", "10/minute")


def test_large_limits(tool):
    decisions, _ = replay(tool, rows(300, 10), "--limit", "100/second",
                          "--algorithm", "sliding_counter")
    assert sum(row["is_allowed"] for row in decisions) < 300


@pytest.mark.parametrize("algorithm,allowed", [
    ("sliding", 2), ("sliding_counter", 2), ("fixed_epoch", 4),
    ("calendar_utc", 4), ("gcra", 3)])
def test_algorithms(tool, algorithm, allowed):
    # 59.0 s, 59.1 s; 60.0 s, 60.1 s
    text = "".join('{"time": "2026-01-01T00:%s", "key": "k"}\n' % moment
                   for moment in ("00:59Z", "00:59.1Z", "01:00Z", "01:30Z"))
    decisions, _ = replay(tool, text, "--limit", "2/minute",
                          "--algorithm", algorithm)
    assert sum(row["is_allowed"] for row in decisions) == allowed


def test_empty(tool):
    assert replay(tool, "", "--limit", "5/minute")[0] == []
    assert replay(tool, "\n \n", "--limit", "5/minute")[0] == []


GOOD = '{"time": "2026-01-01T00:00:00Z", "key": "k"}'


@pytest.mark.parametrize("line,reason", [
    ('{"time": "2026-01-01T00:00:00Z", "key": "k"', "line 2"),
    ("[]", "line 2"), ("5", "line 2"), ("{}", "line 2: time"),
    ('{"time": "2026-01-01T00:00:00Z"}', "line 2: key"),
    ('{"time": 5, "key": "k"}', "line 2: time"),
    ('{"time": "soon", "key": "k"}', "line 2: time"),
    ('{"time": "2025-12-31T23:59:59Z", "key": "k"}', "line 2: time: is before"),
    ('{"time": "2026-01-01T00:00:00Z", "key": 7}', "line 2: key"),
    (GOOD[:-1] + ', "cost": -1}', "line 2: cost"),
    (GOOD[:-1] + ', "cost": 0}', "line 2: cost"),
    (GOOD[:-1] + ', "cost": 1.5}', "line 2: cost"),
    (GOOD[:-1] + ', "cost": NaN}', "line 2"),
    (GOOD[:-1] + ', "cost": "2"}', "line 2: cost"),
    (GOOD[:-1] + ', "colour": "red"}', "line 2: colour"),
    (GOOD[:-1] + ', "key": "k"}', "line 2"),
    ('{"time": "2026-01-01T00:00:00Z", "key": "' + "k" * (1 << 20) + '"}',
     "line 2: longer")], ids=lambda text: text[:60])
def test_bad_line(tool, line, reason):
    out, err = tool.run("limit", "replay", "-", "--limit", "5/minute",
                        stdin=GOOD + "\n" + line, status=1, store=False)
    assert reason in err, err
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("words", [
    [], ["--limit", ""], ["--limit", "5"], ["--limit", "/minute"],
    ["--limit", "-5/minute"], ["--limit", "NaN/minute"],
    ["--limit", "5/fortnight"], ["--limit", "5/0s"], ["--limit", "5/-1s"],
    ["--limit", "99999999999/minute"],
    ["--limit", "5/minute", "--algorithm", "magic"],
    ["--limit", "5/minute", "--capacity", "-1"],
    ["--limit", "5/minute", "--capacity", "many"]]
    + [sum((["--limit", f"{i}/minute"] for i in range(1, 9)), [])])
def test_wrong_use(tool, words):
    tool.refused("limit", "replay", "-", *words, reason="limit replay",
                 status=2, stdin=GOOD, store=False)


@pytest.mark.parametrize("words", [
    ["--limit", "0/minute"], ["--limit", "9999999/minute"],
    ["--limit", "5/9999d"], ["--limit", "5/1m", "--limit", "6/60s"]])
def test_limits_the_library_refuses(tool, words):
    tool.refused("limit", "replay", "-", *words, reason="MET_E_", stdin=GOOD,
                 store=False)


def test_missing_file(tool):
    tool.refused("limit", "replay", "/nothing/there", "--limit", "5/minute",
                 reason="/nothing/there", store=False)
