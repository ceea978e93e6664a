"""gateway replay: bad lines change nothing; a small month comes out right."""
import json
import os
import subprocess

import pytest

from conftest import STORY


@pytest.fixture(name="january")
def fixture_january(tool):
    tool.run("apply", "--at", "2026-01-01T00:00:00Z", STORY / "kong.yaml",
             STORY / "catalog.yaml")
    return tool


def line(second, key="ariel-key", **more):
    row = {"time": f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z",
           "service": "example_service", **more}
    if key:
        row["key"] = key
    return json.dumps(row) + "\n"


def test_small(january):
    text = line(0, None) + line(1, "guest-key") + "".join(
        line(i) for i in range(2, 9))
    summary = january.json("gateway", "replay", "-", stdin=text)
    assert summary["attempts"] == 9
    assert summary["admitted"] == 5
    assert sum(summary["refused"].values()) == 4
    used = january.json("usage", "query", "--meter", "api_requests", "--from",
                        "2026-01-01T00:00:00Z", "--to",
                        "2026-01-02T00:00:00Z")
    assert [row["value"] for row in used["data"]] == ["5"]


def test_decisions(january):
    out, err = january.run("gateway", "replay", "-", "--decisions",
                           stdin="".join(line(i) for i in range(6)))
    rows = [json.loads(row) for row in out.splitlines()]
    assert [row["status"] for row in rows] == [200] * 5 + [429]
    assert rows[0]["consumer"] == "ariel"
    assert rows[5]["wait_ns"] > 0
    assert "admitted" in err


def test_second_replay_is_refused(january):
    january.run("gateway", "replay", "-", stdin=line(0))
    january.refused("gateway", "replay", "-", stdin=line(60),
                    reason="holds usage already")


def test_two_at_once(january, tmp_path):
    """The first waits for its reader, with usage that is not settled yet."""
    requests = tmp_path / "requests.ndjson"
    requests.write_text("".join(line(i // 100) for i in range(2000)))
    with subprocess.Popen(
            [os.environ["METERING_TOOL"], "-d", january.directory, "gateway",
             "replay", requests, "--decisions"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as first:
        first.stdout.readline()
        january.refused("gateway", "replay", requests,
                        reason="replay into a new store")
        first.stdout.read()
    assert first.returncode == 0


def test_no_store(tool):
    tool.refused("gateway", "replay", "-", stdin=line(0),
                 reason="MET_E_NOT_FOUND")


@pytest.mark.parametrize("bad,reason", [
    ('{"time": "2026-01-01T00:00:05Z"', "line 2"), ("[]", "line 2"),
    ("{}", "line 2: time"), ('{"time": "soon"}', "line 2: time"),
    ('{"time": "2025-01-01T00:00:00Z"}', "line 2: time"),
    (line(5, key=5), "line 2: key"), (line(5, service=[]), "line 2: service"),
    (line(5, status=-1), "line 2: status"),
    (line(5, status=1000), "line 2: status"),
    (line(5, status="200"), "line 2: status"),
    (line(5, cost=0), "line 2: cost"), (line(5, cost=-1), "line 2: cost"),
    (line(5, cost=10**20), "line 2"), (line(5, colour="red"), "colour"),
    (line(5, path="x" * (1 << 20)), "line 2: longer")],
    ids=lambda text: text[:60])
def test_bad_line_changes_nothing(january, bad, reason):
    before = (january.directory / "data.mdb").read_bytes()
    january.refused("gateway", "replay", "-", stdin=line(0) + bad,
                    reason=reason)
    assert (january.directory / "data.mdb").read_bytes() == before
    january.run("gateway", "replay", "-", stdin=line(0))


def test_empty(january):
    january.refused("gateway", "replay", "-", stdin="", reason="no requests")
    january.refused("gateway", "replay", "/nothing/there",
                    reason="/nothing/there")
    january.refused("gateway", "replay", "-", "--settle-every", "never",
                    reason="--settle-every", status=2, stdin=line(0))
