"""usage query, settle, entitlement show."""
import signal
import subprocess
import os
import time

import pytest

GOOD = ["usage", "query", "--meter", "api_requests", "--from",
        "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z"]


def spoiled(option, value):
    """GOOD with another value of an option."""
    words = list(GOOD)
    if option in words:
        words[words.index(option) + 1] = value
    else:
        words += [option, value]
    return words


def test_nothing_used(unchanged):
    out, _ = unchanged.run(*GOOD)
    assert out.splitlines()[1].split()[2:] == ["0"]
    assert [row["value"] for row in unchanged.json(*GOOD)["data"]] == ["0"]
    by_subject = unchanged.json(*GOOD, "--group-by", "subject")
    assert by_subject["data"] == []


def test_group_by_columns(unchanged):
    out, _ = unchanged.run(*GOOD, "--group-by", "subject,service_name")
    assert out.split() == ["FROM", "TO", "SUBJECT", "DIMENSIONS", "SERVICE",
                           "NAME", "VALUE"]


@pytest.mark.parametrize("option,value,reason", [
    ("--meter", "nothing", "meter"), ("--meter", "", "meter"),
    ("--meter", "x" * 100000, "meter"), ("--from", "", "from"),
    ("--from", "yesterday", "from"), ("--from", "NaN", "from"),
    ("--from", "2026-01-01T00:00:30Z", "from"),
    ("--from", "2026-03-01T00:00:00Z", "to"),
    ("--to", "2026-02-30T00:00:00Z", "to"), ("--window", "week", "window"),
    ("--group-by", "planet", "group_by"), ("--group-by", "", "group_by"),
    ("--group-by", "subject,subject", "group_by"),
    ("--filter", "planet=mars", "filters"),
    ("--customer", "nobody", "customer"), ("--feature", "nothing", "feature"),
    ("--feature", "example_service", "feature"), ("--subject", "", "subjects"),
])
def test_bad_query(unchanged, option, value, reason):
    unchanged.refused(*spoiled(option, value), reason=reason)


@pytest.mark.parametrize("words", [["--filter", "noequals"],
                                   ["--filter", "=x"],
                                   ["--filter", "a=1", "--filter", "a=2"],
                                   ["--meter", "twice"], ["--follow"]])
def test_wrong_use(unchanged, words):
    unchanged.refused(*GOOD, *words, reason="metering usage query", status=2)


def test_query_without_bounds(unchanged):
    unchanged.refused("usage", "query", reason="MET_E_INVALID")
    assert unchanged.json("usage", "query", "--meter",
                          "api_requests")["data"] == []


def test_settle_nothing(filled):
    assert filled.json("settle")["events"] == 0
    filled.run("settle", "--field", "events")
    for words in (["--interval", "1s"], ["--follow", "--interval", "never"],
                  ["--follow", "--interval", "0s"],
                  ["--follow", "--interval", "-1s"]):
        filled.refused("settle", *words, reason="--interval", status=2)


def test_settle_follow_ends_with_a_signal(filled):
    process = subprocess.Popen(
        [os.environ["METERING_TOOL"], "-d", str(filled.directory), "settle",
         "--follow", "--interval", "10ms", "--json"], stdout=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"{")
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_entitlement(unchanged):
    items = unchanged.json("entitlement", "show", "ariel")["items"]
    assert [item["feature_key"] for item in items] == ["example_service"]
    one = unchanged.json("entitlement", "show", "ariel", "example_service")
    assert one["has_access"] is True
    out, _ = unchanged.run("entitlement", "show", "ariel", "example_service",
                           "--field", "balance")
    assert out.strip() == "1000"


def test_bad_entitlement(unchanged):
    unchanged.refused("entitlement", "show", "nobody", reason="MET_E_")
    unchanged.refused("entitlement", "show", "", reason="MET_E_")
    unchanged.refused("entitlement", "show", "ariel", "--at", "now",
                      reason="--at", status=2)
    unchanged.refused("entitlement", "show", reason="CUSTOMER", status=2)
