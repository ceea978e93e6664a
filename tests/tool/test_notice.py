"""notice rule, list, next, ack, follow."""
import datetime
import json

import pytest

RULE = """
key: warn
name: Warn
type: entitlements.balance.threshold
thresholds:
  - {type: usage_percentage, value: 50}
  - {type: usage_percentage, value: 99.5}
features: [example_service]
"""


def use(tool, ident, value):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    tool.run("usage", "adjust", ident, "--meter", "api_requests",
             "--subject", "ariel", "--dimension",
             "service_name=example_service", "--value", value, "--time", now,
             "--reason", "test", "--actor", "test")


@pytest.fixture
def ruled(filled):
    filled.run("notice", "rule", "put", "-", stdin=RULE)
    return filled


def test_rules(ruled, files):
    rule = ruled.json("notice", "rule", "show", "warn")
    assert rule["thresholds"][1] == {"type": "usage_percentage",
                                     "value": "99.5"}
    assert ruled.run("notice", "rule", "show", "warn", "--field",
                     "features.0")[0] == "example_service\n"
    path = files("reset.json", json.dumps(
        {"key": "reset", "name": "R", "type": "entitlements.reset"}))
    ruled.run("notice", "rule", "put", path)
    assert [item["key"] for item in
            ruled.json("notice", "rule", "list")["items"]] == ["reset", "warn"]
    out, _ = ruled.run("notice", "rule", "list")
    assert len(out.splitlines()) == 3
    ruled.run("notice", "rule", "remove", "warn")
    ruled.refused("notice", "rule", "remove", "warn", reason="MET_E_NOT_FOUND")
    ruled.refused("notice", "rule", "show", "warn", reason="MET_E_NOT_FOUND")
    ruled.refused("notice", "rule", "put", path.with_name("none"),
                  reason="none")
    ruled.refused("notice", "rule", "put", "-", stdin="{}",
                  reason="resource_key_empty")
    for words in ([], ["put"], ["list", "x"], ["show"], ["fly", "x"]):
        ruled.refused("notice", "rule", *words, reason="expected", status=2)


def test_queue(ruled):
    assert ruled.json("notice", "next") == {"items": []}
    use(ruled, "1", "600")
    use(ruled, "2", "400")
    listed = ruled.json("notice", "list")
    assert listed["waiting"] == 2
    first, second = listed["items"]
    assert first["threshold"]["value"] == "50"
    assert first["value"]["usage"] == "600"
    assert second["threshold"]["value"] == "99.5"
    out, _ = ruled.run("notice", "list", "--limit", "1")
    assert first["id"] in out and second["id"] not in out
    assert first["rule"]["key"] in out
    taken = ruled.json("notice", "next", "--lease", "5m")["items"]
    assert [item["id"] for item in taken] == [first["id"]]
    out, _ = ruled.run("notice", "next", "--limit", "10")
    assert second["id"] in out and first["id"] not in out
    ruled.run("notice", "ack", second["id"], "--older")
    assert ruled.json("notice", "list")["items"] == []
    ruled.refused("notice", "ack", second["id"], reason="MET_E_NOT_FOUND")
    ruled.refused("notice", "ack", "x", reason="MET_E_INVALID")
    ruled.refused("notice", "next", "--lease", "soon", reason="--lease",
                  status=2)
    ruled.refused("notice", "next", "--lease", "2d", reason="--lease: must")


def test_follow(ruled):
    use(ruled, "1", "600")
    use(ruled, "2", "400")
    kept, _ = ruled.run("notice", "follow", "--once", "--keep", "--lease",
                        "1s")
    assert len(kept.splitlines()) == 2
    assert ruled.json("notice", "list")["waiting"] == 2
    use(ruled, "3", "-900")
    use(ruled, "4", "900")
    out, _ = ruled.run("notice", "follow", "--once")
    notices = [json.loads(line) for line in out.splitlines()]
    assert notices[-1]["threshold"]["value"] == "99.5"
    assert notices[-1]["customer"]["key"] == "ariel"
    assert ruled.json("notice", "list")["waiting"] == 3 - len(notices)
    ruled.refused("notice", "follow", "--interval", "never",
                  reason="--interval", status=2)
