"""usage query, plot and settings, settle, compact, entitlement show."""
import csv
import json
import signal
import subprocess
import os
import time

import pytest

from conftest import STORY, Tool

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


# --- With usage ---------------------------------------------------------------
STORY_METER = ["--meter", "api_requests"]


def request(day, minute, key, method="GET"):
    return json.dumps({"time": f"2026-01-{day:02}T22:{minute:02}:00Z",
                       "key": key, "service": "example_service",
                       "method": method}) + "\n"


@pytest.fixture(name="used", scope="module")
def fixture_used(tmp_path_factory):
    """Ariel: one request on 1 January, five a day later, late in the evening;
    Rosario: 40 on 5 January."""
    tool = Tool(tmp_path_factory.mktemp("used") / "store")
    tool.run("apply", "--at", "2026-01-01T00:00:00Z", STORY / "kong.yaml",
             STORY / "catalog.yaml")
    lines = [request(1, 0, "ariel-key")]
    lines += [request(2, i, "ariel-key", "HEAD") for i in range(5)]
    lines += [request(5, i, "rosario-key") for i in range(40)]
    tool.run("gateway", "replay", "-", stdin="".join(lines))
    return tool


def values(tool, *words):
    return [row["value"] for row in tool.json("usage", "query", *STORY_METER,
                                              *words)["data"]]


def test_zone_and_window(used):
    assert values(used, "--window", "day") == ["1", "5", "40"]
    rows = used.json("usage", "query", *STORY_METER, "--window", "day",
                     "--time-zone", "Asia/Tokyo")["data"]
    assert [row["from"] for row in rows] == [
        f"2026-01-0{day}T15:00:00Z" for day in (1, 2, 5)]
    used.refused("usage", "query", *STORY_METER, "--time-zone", "Mars",
                 reason="time_zone")


@pytest.mark.parametrize("text,expected", [
    ("request_method=HEAD", ["5"]), ("request_method!=HEAD", ["41"]),
    ("request_method~ea", ["5"]), ("request_method!~ea", ["41"]),
    ("request_method>GET", ["5"]), ("request_method<=GET", ["41"]),
    ("request_method>5", []),
    ('request_method:{"in":["GET","HEAD"]}', ["46"]),
    ('request_method:{"exists":false}', []),
])
def test_filters(used, text, expected):
    assert values(used, "--filter", text) == expected


def test_wrong_filters(used):
    for text in ("request_method", "request_method:{", "a" * 200 + "=1"):
        used.refused("usage", "query", *STORY_METER, "--filter", text,
                     reason="--filter", status=2)
    used.refused("usage", "query", *STORY_METER, "--filter",
                 'request_method:{"like":"x"}', reason="like")


def test_customers(used):
    assert values(used, "--customer", "ariel") == ["6"]
    words = ["--customer", "ariel", "--customer", "rosario"]
    assert values(used, *words) == ["6", "40"]
    out, _ = used.run("usage", "query", *STORY_METER, *words)
    assert [row.split()[2:] for row in out.splitlines()] == [
        ["CUSTOMER", "VALUE"], ["ariel", "6"], ["rosario", "40"]]
    used.refused("usage", "query", *STORY_METER, *words, "--customer", "x",
                 reason="customers[2]")


def test_csv(used):
    out, _ = used.run("usage", "query", *STORY_METER, "--csv", "--window",
                      "day", "--group-by", "subject,request_method")
    rows = list(csv.reader(out.splitlines()))
    assert rows[0] == ["from", "to", "subject", "request_method", "value"]
    assert rows[1] == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z",
                       "consumer:ariel", "GET", "1"]
    assert [row[-1] for row in rows[1:]] == ["1", "5", "40"]
    assert out.count("\r\n") == 4
    out, _ = used.run("usage", "query", *STORY_METER, "--csv", "--from",
                      "2027-01-01T00:00:00Z", "--window", "day")
    assert out == "from,to,value\r\n"
    for words in (["--json"], ["--field", "data"]):
        used.refused("usage", "query", *STORY_METER, "--csv", *words,
                     reason="--csv", status=2)
    used.refused("usage", "query", "--meter", "none", "--csv",
                 reason="no meter")


def test_many_groups(used):
    names = [f"d{i}" for i in range(10)]
    used.run("apply", "-", stdin=json.dumps({"meters": [
        {"key": "wide", "name": "Wide", "event_type": "other",
         "aggregation": "count",
         "dimensions": {name: f"$.{name}" for name in names}}]}))
    words = ["usage", "query", "--meter", "wide", "--group-by",
             ",".join(names)]
    used.refused(*words, reason="9 groups", status=2)
    assert used.json(*words)["data"] == []
    out, _ = used.run(*words, "--csv")
    assert out == "from,to," + ",".join(names) + ",value\r\n"


def test_plot(used):
    out, _ = used.run("usage", "plot", *STORY_METER, "--window", "day",
                      "--ascii")
    rows = out.splitlines()
    # From 2 to 5 January there is a gap.
    assert [row.split()[:2] for row in rows] == [
        ["2026-01-01T00:00:00Z", "1"], ["2026-01-02T00:00:00Z", "5"], [":"],
        ["2026-01-05T00:00:00Z", "40"]]
    assert [row.count("#") for row in rows] == [1, 6, 0, 54]
    assert len(rows[3]) == 80
    out, _ = used.run("usage", "plot", *STORY_METER, "--window", "month",
                      "--group-by", "subject,request_method", "--ascii")
    rows = out.splitlines()
    assert rows[0].startswith("2026-01-01T00:00:00Z  consumer:ariel GET")
    assert rows[1].startswith(" " * 22 + "consumer:ariel HEAD")
    assert max(map(len, rows)) == 80


def test_plot_characters(used, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    out, _ = used.run("usage", "plot", *STORY_METER, "--window", "day")
    rows = out.splitlines()
    assert rows[2] == "\u22ee"
    assert rows[3].count("\u2588") == 54
    assert rows[0][-1] in "\u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
    monkeypatch.setenv("LC_ALL", "C")
    out, _ = used.run("usage", "plot", *STORY_METER, "--window", "day")
    assert out.isascii()


def test_plot_nothing(used):
    out, err = used.run("usage", "plot", *STORY_METER, "--from",
                        "2027-01-01T00:00:00Z", "--window", "day")
    assert (out, err) == ("", "nothing was used\n")
    out, _ = used.run("usage", "plot", *STORY_METER, "--from",
                      "2027-01-01T00:00:00Z", "--to", "2028-01-01T00:00:00Z")
    assert out == "2027-01-01T00:00:00Z  0\n"
    used.refused("usage", "plot", *STORY_METER, "--json", reason="no JSON",
                 status=2)
    used.refused("usage", "plot", "--meter", "none", reason="no meter")


def test_query_without_bounds(unchanged):
    unchanged.refused("usage", "query", reason="MET_E_INVALID")
    assert unchanged.json("usage", "query", "--meter",
                          "api_requests")["data"] == []


def test_usage_settings(filled):
    assert filled.json("usage", "settings") == {"keep_minutes": "P35D",
                                                "keep_hours": "P400D"}
    filled.run("usage", "settings", "--keep-minutes", "PT2H")
    out, _ = filled.run("usage", "settings", "--field", "keep_minutes")
    assert out == "PT2H\n"
    filled.refused("usage", "settings", "--keep-hours", "soon",
                   reason="keep_hours")
    assert filled.json("usage", "settings")["keep_hours"] == "P400D"


def test_compact(filled):
    event = ('{"specversion":"1.0","id":"%d","source":"s",'
             '"type":"kong.api_request","subject":"s","time":"%s"}')
    filled.run("event", "settings", "--late-after", "P366D")
    times = [time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(
        (int(time.time()) // 86400 - 50) * 86400 + minute * 60))
        for minute in range(0, 1440, 60)]
    filled.run("event", "ingest", "-", stdin="\n".join(
        event % (i, t) for i, t in enumerate(times * 2)))
    query = ["usage", "query", "--meter", "api_requests", "--from", times[1],
             "--to", times[20]]
    before = filled.json(*query)
    assert [row["value"] for row in before["data"]] == ["38"]
    assert filled.json("compact", "--records-max", "5")["parts"] == 5
    assert filled.json("compact", "--records-max", "1")["parts"] == 1
    out, _ = filled.run("settle", "--compact")
    assert out.splitlines()[1].startswith("folded 18 parts into 18 hours")
    assert filled.run("settle", "--compact")[0].count("\n") == 1
    assert filled.json("settle", "--compact")["parts"] == 0
    assert filled.json("compact")["parts"] == 0
    assert filled.json(*query) == before
    out, _ = filled.run("compact", "--as-of", times[0])
    assert out.startswith("folded 0 parts into 0 hours, 0 hours into 0 days")
    filled.refused("compact", "--as-of", "2190-01-01T00:00:00Z",
                   reason="in the future")
    filled.refused("compact", "--as-of", "never", reason="--as-of", status=2)
    filled.refused("compact", "--records-max", "0", reason="--records-max",
                   status=2)
    tables = filled.json("check")["tables"]
    assert (tables["part"], tables["hour"], tables["day"]) == (0, 24, 0)


def test_settle_nothing(filled):
    assert filled.json("settle")["events"] == 0
    filled.run("settle", "--field", "events")
    for words in (["--interval", "1s"], ["--follow", "--interval", "never"],
                  ["--follow", "--interval", "0s"],
                  ["--follow", "--interval", "-1s"]):
        filled.refused("settle", *words, reason="--interval", status=2)


def test_settle_says_who_holds_it_up(filled):
    (filled.directory / "tally" / "0007.map").write_bytes(b"\1" * 65536)
    out, err = filled.run("settle")
    assert out.startswith("settled 0 events in 0 parts")
    assert err == "held up by slot 7: the slot file is damaged\n"
    assert filled.json("settle")["held_up_by"] == [
        {"slot": 7, "reason": "the slot file is damaged"}]


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


def test_entitlement_history(unchanged):
    document = unchanged.json("entitlement", "history", "ariel",
                              "example_service")
    assert document["feature_key"] == "example_service"
    assert document["windows"][0]["balance_at_start"] == "1000"
    assert len(document["segments"]) == 1
    hours = unchanged.json("entitlement", "history", "ariel",
                           "example_service", "--window", "hour")
    assert len(hours["windows"]) >= len(document["windows"])
    out, _ = unchanged.run("entitlement", "history", "ariel",
                           "example_service", "--segments")
    assert "BURNED" in out and "1000" in out
    for wrong in (["--window", "week"], ["--from", "then"]):
        unchanged.refused("entitlement", "history", "ariel",
                          "example_service", *wrong, reason=wrong[0],
                          status=2)
    unchanged.refused("entitlement", "history", "ariel", "nothing",
                      reason="MET_E_NOT_FOUND")


def test_bad_entitlement(unchanged):
    unchanged.refused("entitlement", "show", "nobody", reason="MET_E_")
    unchanged.refused("entitlement", "show", "", reason="MET_E_")
    unchanged.refused("entitlement", "show", "ariel", "--at", "now",
                      reason="--at", status=2)
    unchanged.refused("entitlement", "show", reason="CUSTOMER", status=2)
