"""event ingest, list, explain, retract, settings; usage adjust."""
import datetime
import json
import os
import pty
import subprocess

import pytest

# Settings of the test make a year of it usage on time.
TIME = (datetime.datetime.now(datetime.timezone.utc)
        - datetime.timedelta(days=30)).strftime("%Y-%m-%dT10:00:00Z")
CATALOG = """
meters:
  - {key: calls, name: Calls, event_type: call, aggregation: count,
     dimensions: {region: $.region}}
  - {key: bytes, name: Bytes, event_type: transfer, aggregation: sum,
     value_property: $.bytes}
"""


@pytest.fixture
def store(tool):
    """Late is what is older than a year: the events' time stands."""
    tool.run("apply", "-", stdin=CATALOG)
    tool.run("event", "settings", "--late-after", "P366D", "--retain",
             "P3660D")
    return tool


def event(number, kind="call", **data):
    return {"specversion": "1.0", "id": str(number), "source": "//s",
            "type": kind, "subject": f"u{number % 3}", "time": TIME,
            "data": data}


def lines(events):
    return "".join(json.dumps(one) + "\n" for one in events)


def used(store, meter):
    rows = store.json("usage", "query", "--meter", meter)["data"]
    return rows[0]["value"] if rows else None


def test_ingest_a_file(store, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text(lines(event(i, region="eu") for i in range(2500)))
    out, err = store.run("event", "ingest", file)
    assert out.split() == ["2500", "events", "2500", "accepted"]
    assert err == ""
    out, _ = store.run("event", "ingest", "-", stdin=file.read_text())
    assert out.split() == ["2500", "events", "2500", "duplicate"]
    assert used(store, "calls") == "2500"


def test_ingest_an_array(store):
    text = json.dumps([event(1, "transfer", bytes="0.1"),
                       event(2, "transfer", bytes=0.2)], indent=1)
    summary = store.json("event", "ingest", "-", stdin=text)
    assert summary["accepted"] == 2
    assert used(store, "bytes") == "0.3"


def test_what_is_wrong_is_named_by_line(store):
    text = lines([event(1)]) + "\nbroken\n" + lines(
        [event(2, "transfer"), event(3, "nothing")])
    out, err = store.run("event", "ingest", "-", "--batch", "2", stdin=text,
                         status=1)
    assert "1  accepted" in out and "1  no_meter" in out
    assert "- line 3: invalid" in err
    assert "- line 4: no_value: data.bytes is missing" in err
    assert "- line 5: no_meter: type" in err
    assert used(store, "calls") == "1"


def test_goes_on_where_it_ended(store, tmp_path):
    file = tmp_path / "events.ndjson"
    words = ["event", "ingest", file, "--cursor", "file", "--batch", "7"]
    file.write_text(lines(event(i) for i in range(20)))
    assert store.json(*words)["accepted"] == 20
    assert store.json(*words)["events"] == 0
    with file.open("a") as more:
        more.write(lines(event(i) for i in range(20, 25)))
    assert store.json(*words)["events"] == 5
    file.write_text(lines([event(99)]))
    store.refused(*words, reason="--generation 1")
    assert store.json(*words, "--generation", "1")["accepted"] == 1
    assert used(store, "calls") == "26"


def test_progress_is_for_a_terminal(store, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text(lines(event(i) for i in range(3000)))
    ours, theirs = pty.openpty()
    with subprocess.Popen([os.environ["METERING_TOOL"], "-d",
                           str(store.directory), "event", "ingest",
                           str(file)], stderr=theirs,
                          stdout=subprocess.DEVNULL) as running:
        os.close(theirs)
        assert running.wait(timeout=60) == 0
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass
    os.close(ours)
    assert b"events:" in shown and b"/s" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_list_explain_retract(store):
    store.run("event", "ingest", "-",
              stdin=lines(event(i, region="eu") for i in range(5)))
    listed = store.json("event", "list", "--subject", "u1")["items"]
    assert [item["event"]["id"] for item in listed] == ["1", "4"]
    out, _ = store.run("event", "list", "--limit", "2")
    assert len(out.splitlines()) == 3
    told = store.json("event", "explain", "//s", "1")
    assert told["status"] == "accepted"
    assert told["counted_by"][0]["meter"] == "calls"
    assert told["counted_by"][0]["dimensions"] == {"region": "eu"}
    store.run("event", "retract", "//s", "1", "--reason", "twice", "--actor",
              "ops")
    assert used(store, "calls") == "4"
    told = store.json("event", "explain", "//s", "1")
    assert told["status"] == "retracted"
    assert told["logged"]["retracted"]["actor"] == "ops"
    assert store.json("event", "explain", "//s", "9")["status"] == "unknown"
    store.refused("event", "retract", "//s", "9", "--reason", "x", "--actor",
                  "y", reason="no event")
    store.refused("event", "retract", "//s", "2", "--actor", "y",
                  reason="reason")


def test_adjust(store):
    words = ["usage", "adjust", "a1", "--meter", "bytes", "--subject", "u1",
             "--time", TIME, "--value", "-2.5", "--reason", "credit",
             "--actor", "ops"]
    store.run(*words)
    store.run(*words)
    assert used(store, "bytes") == "-2.5"
    words[words.index("-2.5")] = "3"
    store.refused(*words, reason="another adjustment")
    store.refused(*words, "--dimension", "x", reason="NAME=VALUE", status=2)


@pytest.mark.parametrize("words,reason,status", [
    (["event", "ingest"], "metering event ingest", 2),
    (["event", "ingest", "missing-file"], "missing-file", 1),
    (["event", "ingest", "-", "--batch", "0"], "batch", 2),
    (["event", "ingest", "-", "--batch", "10001"], "batch", 2),
    (["event", "settings", "--late-after", "soon"], "late_after", 1),
    (["event", "list", "--from", "yesterday"], "from", 1),
    (["event", "list", "--limit", "0"], "limit", 2),
    (["event", "list", "--cursor", "x"], "cursor", 1),
])
def test_wrong_use(store, words, reason, status):
    store.refused(*words, reason=reason, status=status, stdin="")


def test_a_later_meter_does_not_count_what_was_there(store):
    store.run("event", "ingest", "-",
              stdin=lines([event(1, region="eu", size=3)]))
    store.run("apply", "-", stdin="""
meters:
  - {key: sizes, name: Sizes, event_type: call, aggregation: sum,
     value_property: $.size, events_from: "2026-01-01T00:00:00Z"}
""")
    told = store.json("event", "explain", "//s", "1")
    assert [one["meter"] for one in told["counted_by"]] == ["calls"]
    assert told["not_counted_by"] == [
        {"meter": "sizes", "reason": "the event is before it counts"}]
    assert used(store, "sizes") is None
