"""apply: all or nothing, whatever stands in the files."""
import json
import random

import pytest
import yaml

from conftest import STORY

BOTH = (STORY / "kong.yaml", STORY / "catalog.yaml")
STORY_DOCUMENT = {**yaml.safe_load(BOTH[0].read_text()),
                  **yaml.safe_load(BOTH[1].read_text())}


def changes(report):
    found = {}
    for item in report["changes"]:
        found.setdefault(item["change"], []).append((item["kind"],
                                                     item["key"]))
    return found


def test_first_and_again(tool):
    first = changes(tool.json("apply", *BOTH))
    assert set(first) == {"created"}
    for wanted in (("meter", "api_requests"), ("feature", "example_service"),
                   ("plan", "free"), ("plan", "premium"),
                   ("customer", "ariel"), ("subscription", "rosario"),
                   ("service", "example_service"), ("route", "example_route"),
                   ("consumer", "guest")):
        assert wanted in first["created"], first
    before = tool.everything()
    again = changes(tool.json("apply", *BOTH))
    assert set(again) == {"unchanged"}
    assert tool.everything() == before


def test_files_in_any_order(tool):
    tool.run("apply", *reversed(BOTH))
    assert [plan["status"] for plan in tool.json("list", "plan")["items"]] \
        == ["active", "active"]


def test_dry_run_changes_nothing(tool):
    tool.run("init")
    before = tool.everything()
    report = changes(tool.json("apply", "--dry-run", *BOTH))
    assert tool.everything() == before
    assert report == changes(tool.json("apply", *BOTH))


def test_dry_run_makes_no_store(tool):
    report = changes(tool.json("apply", "--dry-run", *BOTH))
    assert not tool.directory.exists()
    assert report == changes(tool.json("apply", *BOTH))


def test_a_mistake_makes_no_store(tool, files, tmp_path, monkeypatch):
    """Nor does it leave anything where it was tried."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    bad = files("bad.yaml", "plans: [{key: 1}]")
    for words in ((), ("--dry-run",)):
        tool.refused("apply", *words, bad,
                     reason="bad.yaml: plans[0].key: must be a text")
        assert not tool.directory.exists()
    tool.run("apply", *BOTH)
    assert list(scratch.iterdir()) == []


def test_dry_run_shows_an_update(unchanged, files):
    text = BOTH[1].read_text().replace("name: Ariel", "name: Ariel the second")
    report = changes(unchanged.json("apply", "--dry-run",
                                    files("new.yaml", text)))
    assert report["updated"] == [("customer", "ariel")]


def test_update(filled, files):
    text = BOTH[1].read_text().replace("name: Ariel", "name: Ariel the second")
    filled.run("apply", files("new.yaml", text))
    assert filled.json("show", "customer", "ariel")["name"] \
        == "Ariel the second"


def test_stdin(tool):
    tool.run("apply", "-", stdin=BOTH[1].read_text())
    assert len(tool.json("list", "plan")["items"]) == 2


def test_text_report(tool):
    out, err = tool.run("apply", *BOTH)
    assert "created" in out and "api_requests" in out
    assert "0 updated, 0 unchanged" in err


def test_ignored_and_strict(filled, files):
    before = filled.everything()
    path = files("more.yaml", "_format_version: '3.0'\n"
                 "upstreams: [{name: backend}]\n"
                 "plugins: [{name: cors}]\n")
    report = filled.json("apply", path)
    assert len(report["ignored"]) == 2
    assert all(item["reason"] for item in report["ignored"])
    assert filled.everything() == before
    filled.refused("apply", "--strict", path, reason="MET_E_UNSUPPORTED")
    assert filled.everything() == before


BAD_FILES = [
    ("empty", "", "no document"),
    ("only comments", "# nothing\n", "no document"),
    ("a list", "[]", "must be a mapping"),
    ("a text", "hello", "must be a mapping"),
    ("half-written YAML", "meters:\n  - key: [a", "line 3"),
    ("a tab", "meters:\n\t- key: a", "line 2"),
    ("two documents", "meters: []\n---\nmeters: []\n", "more than one"),
    ("anchor", "meters: &a [1]\nplans: *a\n", "anchors"),
    ("too deep", "meters: " + "[" * 200 + "]" * 200, "nested"),
    ("key twice", "meters: []\nmeters: []\n", "duplicate"),
    ("complex key", "? [a]\n: b\n", "a key must be"),
    ("no UTF-8", b"meters: [\xff\xfe\xff]", "line 1"),
    ("control character", b"meters: [a\x01b]", "line 1"),
    ("unknown member", "metres: []", "metres"),
    ("list is a number", "meters: 5", "meters"),
    ("list is a mapping", "plans: {a: 1}", "plans"),
    ("list is a text", "customers: all", "customers"),
    ("item is a number", "features: [5]", "features[0]"),
    ("item is empty", "customers: [{}]", "customers[0]"),
    ("item is null", "meters: [~]", "meters[0]"),
    ("same key twice", "customers: [{key: a, name: A}, {key: a, name: B}]",
     "customers[1].key"),
    ("unknown field", "customers: [{key: zed, name: A, nmae: B}]",
     "customers[0].nmae"),
    ("key with capitals", "features: [{key: Zed, name: A}]",
     "features[0].key"),
    ("huge key", "features: [{key: " + "z" * 65 + ", name: A}]",
     "features[0].key"),
    ("empty key of a feature", "features: [{key: '', name: A}]",
     "features[0].key"),
    ("NUL in a name", 'customers: [{key: zed, name: "a\\0b"}]', "line 1"),
    ("NUL in a member", '{"a\\0b": []}', "line 1"),
    ("unknown meter", "features: [{key: f, name: F, meter: {key: none}}]",
     "features[0].meter.key"),
    ("unknown dimension", "features: [{key: f, name: F, meter: {key: "
     "api_requests, filters: {planet: {eq: mars}}}}]", "features[0].meter"),
    ("unknown customer", "subscriptions: [{customer: {key: nobody}, "
     "plan: {key: free}}]", "subscriptions[0].customer"),
    ("unknown plan", "subscriptions: [{customer: {key: ariel}, "
     "plan: {key: nothing}}]", "subscriptions[0].plan"),
    ("another plan while one runs", "subscriptions: [{customer: {key: ariel}, "
     "plan: {key: premium}}]", "MET_E_CONFLICT"),
    ("unknown aggregation", "meters: [{key: m, name: M, event_type: e, "
     "aggregation: median}]", "meters[0].aggregation"),
    ("another event type", "meters: [{key: api_requests, name: M, event_type: "
     "other, aggregation: count}]", "meters[0]"),
    ("unknown service of a route", "routes: [{name: r, service: {name: none}, "
     "paths: [/r]}]", "routes[0]"),
    ("unknown consumer of a plugin", "plugins: [{name: rate-limiting, "
     "consumer: nobody, config: {minute: 1}}]", "plugins[0]"),
    ("limit below zero", "plugins: [{name: rate-limiting, config: "
     "{minute: -5}}]", "plugins[0].config.minute"),
    ("limit is a text", "plugins: [{name: rate-limiting, config: "
     "{minute: many}}]", "plugins[0].config.minute"),
    ("longer window, smaller limit", "plugins: [{name: rate-limiting, config: "
     "{minute: 20, hour: 10}}]", "plugins[0].config"),
    ("empty key", "consumers: [{username: c, keyauth_credentials: "
     "[{key: ''}]}]", "consumers[0].keyauth_credentials[0].key"),
    ("key of another", "consumers: [{username: c, keyauth_credentials: "
     "[{key: ariel-key}]}]", "consumers[0].keyauth_credentials[0].key"),
    ("consumer twice", "consumers: [{username: c}, {username: c}]",
     "consumers[1]"),
]


@pytest.mark.parametrize("content,reason", [row[1:] for row in BAD_FILES],
                         ids=[row[0] for row in BAD_FILES])
def test_bad_file(unchanged, files, content, reason):
    path = files("bad.yaml", content)
    error = unchanged.refused("apply", path, reason=reason)
    assert "bad.yaml" in error or "MET_E_" in error


PLAN = ("plans: [{key: p, name: P, currency: USD, billing_cadence: P1M, "
        "publish: true, phases: [{key: d, name: D, rate_cards: [{key: "
        "example_service, name: E, feature: {key: example_service}, "
        "billing_cadence: P1M, price: PRICE, entitlement: ENTITLEMENT}]}]}]")
GOOD_PRICE = "{type: unit, amount: 1}"
GOOD_ENTITLEMENT = "{type: metered, limit: 10}"
CARD = "plans[0].phases[0].rate_cards[0]"
BAD_PLANS = [
    ("{type: unit, amount: -1}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: .nan}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: NaN}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: .inf}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: '1,5'}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: ''}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: 1e99}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit, amount: [1]}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: unit}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("{type: gift, amount: 1}", GOOD_ENTITLEMENT, f"{CARD}.price.type"),
    ("{type: package, amount: 1, quantity_per_package: 0}", GOOD_ENTITLEMENT,
     f"{CARD}.price.quantity_per_package"),
    ("{type: free, amount: 1}", GOOD_ENTITLEMENT, f"{CARD}.price.amount"),
    ("5", GOOD_ENTITLEMENT, f"{CARD}.price"),
    (GOOD_PRICE, "{type: metered, limit: -1}", f"{CARD}.entitlement.limit"),
    (GOOD_PRICE, "{type: metered, limit: ten}", f"{CARD}.entitlement.limit"),
    (GOOD_PRICE, "{type: metered, limit: 10, usage_period: P-1M}",
     f"{CARD}.entitlement.usage_period"),
    (GOOD_PRICE, "{type: metered, limit: 10, is_soft_limit: maybe}",
     f"{CARD}.entitlement.is_soft_limit"),
]


@pytest.mark.parametrize("price,entitlement,reason", BAD_PLANS)
def test_bad_plan(unchanged, files, price, entitlement, reason):
    text = PLAN.replace("PRICE", price).replace("ENTITLEMENT", entitlement)
    unchanged.refused("apply", files("plan.yaml", text), reason=reason)


def test_good_plan(filled, files):
    text = PLAN.replace("PRICE", GOOD_PRICE).replace("ENTITLEMENT",
                                                     GOOD_ENTITLEMENT)
    filled.run("apply", files("plan.yaml", text))
    assert filled.json("show", "plan", "p")["status"] == "active"


def test_the_last_item_spoils_all(unchanged, files):
    path = files("bad.yaml", "customers:\n"
                 + "".join(f"  - {{key: c{i}, name: C}}\n" for i in range(50))
                 + "  - {key: last}\n")
    unchanged.refused("apply", path, reason="bad.yaml: customers[50].name")


def test_error_names_the_second_file(unchanged, files):
    first = files("first.yaml", "customers: [{key: c1, name: C}]")
    second = files("second.yaml", "customers: [{key: c2, name: C}, {key: c3}]")
    unchanged.refused("apply", first, second,
                      reason="second.yaml: customers[1].name")


def test_duplicate_across_files(unchanged, files):
    first = files("first.yaml", "customers: [{key: c1, name: C}]")
    second = files("second.yaml", "customers: [{key: c1, name: D}]")
    unchanged.refused("apply", first, second,
                      reason="second.yaml: customers[0].key")


def test_files_that_disagree(unchanged, files):
    first = files("first.yaml", "_format_version: '3.0'")
    second = files("second.yaml", "_format_version: '1.1'")
    unchanged.refused("apply", first, second, reason="second.yaml")


def test_missing_file(unchanged, tmp_path):
    unchanged.refused("apply", tmp_path / "none.yaml", reason="none.yaml")
    unchanged.refused("apply", tmp_path, reason=str(tmp_path))


def test_huge_file(unchanged, files):
    path = files("huge.yaml", "customers: []\n"
                 + ("# " + "z" * 1000 + "\n") * (17 * 1024))
    unchanged.refused("apply", path, reason="16 MiB")


def test_many_items(filled, files):
    path = files("many.yaml", "customers:\n" + "".join(
        f"  - {{key: c{i}, name: C}}\n" for i in range(3000)))
    filled.run("apply", path)
    assert len(filled.json("list", "customers")["items"]) == 3002


def test_huge_scalar(unchanged, files):
    path = files("huge.yaml", "a: " + "z" * (17 * 1024 * 1024))
    unchanged.refused("apply", path, reason="16 MiB")


def test_half_written_json(unchanged, files):
    text = json.dumps(STORY_DOCUMENT)
    for at in range(1, len(text) - 1, len(text) // 40):
        unchanged.refused("apply", files("half.json", text[:at]),
                          reason="half.json")


def test_virtual_time(tool):
    tool.run("apply", "--at", "2026-01-01T00:00:00Z", *BOTH)
    subscriptions = tool.json("list", "subscriptions")["items"]
    assert {item["active_from"] for item in subscriptions} \
        == {"2026-01-01T00:00:00Z"}
    plans = tool.json("list", "plans")["items"]
    assert {item["effective_from"] for item in plans} \
        == {"2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z",
                                  "2026-01-01", "NaN", "-1"])
def test_bad_time(unchanged, text):
    unchanged.refused("apply", "--at", text, *BOTH, reason="--at", status=2)


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, path + (key,))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, path + (index,))
    else:
        yield path


def test_any_leaf_spoiled(unchanged, files):
    """Whatever stands at one place of the story's document: accepted, or
    refused with a code and unchanged."""
    chance = random.Random(7)
    values = [None, True, -1, 0, 1.5, 10**30, "", "NaN", "-1", "x" * 5000,
              "\u0000", "\u202e\U0001f600", [], {}, [[]], {"a": 1}]
    refused = 0
    before = unchanged.everything()
    for path in leaves(STORY_DOCUMENT):
        document = json.loads(json.dumps(STORY_DOCUMENT))
        place = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = chance.choice(values)
        text = json.dumps(document)
        out, err = unchanged.run("apply", "--dry-run", "-", stdin=text,
                                 status=None)
        if "MET_E_" in err or "line " in err:
            assert out == ""
            refused += 1
            unchanged.run("apply", "-", stdin=text, status=1)
    assert refused > 50
    assert unchanged.everything() == before


def test_export(filled, tmp_path):
    first = filled.run("export")[0]
    document = tmp_path / "export.json"
    document.write_text(first)
    other = type(filled)(tmp_path / "other")
    other.run("apply", document)
    assert other.run("export")[0] == first
    assert "ariel-key" not in first
    assert other.json("apply", document)["ignored"] == []
    assert filled.json("export", "--field", "_export_version") == 1
