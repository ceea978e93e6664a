"""list, show, and what takes objects out of service."""
import json

import pytest

from conftest import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_list(unchanged, kind):
    items = unchanged.json("list", kind)["items"]
    assert unchanged.json("list", kind + "s")["items"] == items
    out, _ = unchanged.run("list", kind)
    assert len(out.splitlines()) == len(items) + 1
    assert (len(items) == 0) == (kind in ("invoice", "consumer_group"))


def test_show(unchanged):
    for kind, key, field, value in (
            ("meter", "api_requests", "aggregation", "count"),
            ("feature", "example_service", "meter.key", "api_requests"),
            ("plan", "premium", "phases.0.rate_cards.0.price.type", "package"),
            ("customer", "ariel", "name", "Ariel"),
            ("consumer", "rosario", "username", "rosario"),
            ("service", "example_service", "name", "example_service")):
        assert unchanged.run("show", kind, key, "--field", field)[0].strip() \
            == value


def test_keys_of_consumers_are_not_shown(unchanged):
    assert "ariel-key" not in str(unchanged.everything())
    assert b"ariel-key" not in (unchanged.directory / "data.mdb").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_show_what_is_not_there(unchanged, kind):
    unchanged.refused("show", kind, "nothing_of_that_name", reason="MET_E_")
    unchanged.refused("show", kind, "", reason="MET_E_")
    unchanged.refused("show", kind, "x" * 100000, reason="MET_E_")
    unchanged.refused("show", kind, b"\xff\xfe".decode(
        errors="surrogateescape"), reason="MET_E_")


def test_limit_of_a_plan(filled, tmp_path):
    filled.run("apply", "-", stdin="""
consumer_groups: [{name: gold}]
plugins:
  - {name: rate-limiting, plan: premium, config: {minute: 9}}
  - {name: rate-limiting, consumer_group: gold, config: {minute: 8}}
""")
    name = "rate-limiting plan=premium"
    assert filled.json("show", "plugin", name)["plan"] == "premium"
    assert name in filled.run("list", "plugins")[0]
    assert filled.run("list", "consumer_groups")[0].split() == ["NAME", "gold"]
    (tmp_path / "all.json").write_text(filled.run("export")[0])
    other = type(filled)(tmp_path / "other")
    other.run("apply", tmp_path / "all.json")
    assert other.json("show", "plugin", name)["config"]["minute"] == 9
    filled.run("gateway", "remove", "plugin", name)
    filled.refused("show", "plugin", name, reason="MET_E_NOT_FOUND")
    filled.refused("apply", "-", stdin="plugins: [{name: rate-limiting, "
                   "plan: none, config: {minute: 9}}]",
                   reason="no plan of that key")


def test_wrong_kind(unchanged):
    unchanged.refused("list", "planet", reason="no kind", status=2)
    unchanged.refused("show", "planet", "x", reason="no kind", status=2)
    unchanged.refused("show", "meter", reason="KIND KEY", status=2)


def test_version_of_a_plan(unchanged):
    assert unchanged.json("show", "plan", "free", "--version", "1")[
        "version"] == 1
    unchanged.refused("show", "plan", "free", "--version", "2",
                      reason="MET_E_NOT_FOUND")
    for text in ("0", "-1", "NaN", "1.5", "", "99999999999999999999", "1x"):
        unchanged.refused("show", "plan", "free", "--version", text,
                          reason="--version", status=2)
    unchanged.refused("show", "meter", "api_requests", "--version", "1",
                      reason="--version", status=2)


REMOVALS = (["meter", "remove"], ["feature", "archive"], ["plan", "publish"],
            ["plan", "archive"], ["plan", "remove"], ["customer", "remove"],
            ["subscription", "cancel"], ["gateway", "remove", "service"],
            ["gateway", "remove", "consumer"], ["gateway", "remove", "planet"])


@pytest.mark.parametrize("words", REMOVALS)
def test_remove_what_is_not_there(unchanged, words):
    for key in ("nothing_of_that_name", "", "x" * 100000, "a\x01b"):
        unchanged.refused(*words, key, reason="MET_E_")


def test_in_use(unchanged):
    unchanged.refused("meter", "remove", "api_requests",
                      reason="MET_E_CONFLICT")
    unchanged.refused("customer", "remove", "ariel", reason="MET_E_CONFLICT")
    unchanged.refused("plan", "remove", "free", reason="MET_E_CONFLICT")
    unchanged.refused("plan", "publish", "free", reason="MET_E_CONFLICT")


def test_out_of_service(filled):
    subscription = next(
        item["id"] for item in filled.json("list", "subscriptions")["items"]
        if item["customer"]["key"] == "ariel")
    filled.run("subscription", "cancel", subscription)
    filled.refused("subscription", "cancel", subscription,
                   reason="MET_E_CONFLICT")
    filled.run("customer", "remove", "ariel")
    filled.refused("show", "customer", "ariel", reason="MET_E_NOT_FOUND")
    filled.run("plan", "archive", "free")
    assert filled.json("show", "plan", "free")["status"] == "archived"
    filled.run("feature", "archive", "example_service")
    filled.refused("meter", "remove", "api_requests",
                   reason="the subscription of rosario counts by it")
    for item in filled.json("list", "subscriptions")["items"]:
        if item["status"] == "active":
            filled.run("subscription", "cancel", item["id"])
    filled.refused("meter", "remove", "api_requests",
                   reason="of rosario that ended is not billed to its end")
    filled.run("customer", "remove", "rosario")
    filled.run("meter", "remove", "api_requests")
    assert filled.json("list", "meters")["items"] == []
    filled.run("gateway", "remove", "consumer", "guest")
    assert len(filled.json("list", "consumers")["items"]) == 2


def test_cancel_at(filled):
    subscription = filled.json("list", "subscriptions")["items"][0]["id"]
    filled.refused("subscription", "cancel", subscription, "--at", "soon",
                   reason="--at", status=2)
    filled.refused("subscription", "cancel", subscription, "--at",
                   "2026-01-01T00:00:00Z", "--next-billing-cycle",
                   reason="either", status=2)
    filled.refused("subscription", "cancel", subscription, "--at",
                   "2020-01-01T00:00:00Z", reason="MET_E_")
    canceled = filled.json("subscription", "cancel", subscription,
                           "--next-billing-cycle")
    assert canceled["status"] == "canceled"


@pytest.mark.parametrize("kind", [kind for kind in KINDS
                                  if kind != "subscription"])
def test_unknown_key_is_named(unchanged, kind):
    unchanged.refused("show", kind, "nosuch", reason='there is no')
    unchanged.refused("show", kind, "nosuch", reason='"nosuch"')


def test_subscription_from_beginning_to_end(filled):
    subscription = next(
        item["id"] for item in filled.json("list", "subscriptions")["items"]
        if item["customer"]["key"] == "ariel")
    changed = filled.json("subscription", "change", subscription, "-",
                          "--next-billing-cycle",
                          stdin="plan: {key: premium}\nname: Up\n")
    assert changed["current"]["status"] == "canceled"
    assert changed["next"]["name"] == "Up"
    scheduled = changed["next"]["id"]
    assert filled.json("subscription", "show", scheduled, "--at",
                       changed["next"]["active_from"])["status"] == "active"
    filled.refused("subscription", "continue", subscription,
                   reason="only_single_subscription")
    filled.run("subscription", "remove", scheduled)
    assert filled.json("subscription", "continue", subscription)[
        "status"] == "active"
    filled.run("subscription", "change", subscription, "-",
               "--next-billing-cycle", stdin="plan: {key: premium}")
    assert filled.json("subscription", "restore", subscription)[
        "status"] == "active"
    filled.refused("subscription", "migrate", subscription,
                   reason="not later than the present one")
    plan = filled.json("show", "plan", "free")
    for name in ("id", "created_at", "updated_at", "version", "status",
                 "effective_from"):
        del plan[name]
    plan["phases"][0]["rate_cards"][0]["feature"].pop("id")
    plan["name"] = "Freer"
    assert filled.json("plan", "put", "-", stdin=json.dumps(plan))[
        "version"] == 2
    filled.run("plan", "publish", "free")
    moved = filled.json("subscription", "migrate", subscription, "--version",
                        "2", "--phase", plan["phases"][0]["key"])
    assert moved["next"]["plan"]["version"] == 2
    filled.refused("subscription", "change", subscription, "-",
                   stdin="plan: {key: premium}", reason="in state inactive")


def test_put(filled):
    assert filled.json("customer", "put", "-", stdin="{key: x, name: X}")[
        "name"] == "X"
    assert filled.json("feature", "put", "-",
                       stdin="{key: f, name: F, labels: {a: b}}")[
        "labels"] == {"a": "b"}
    assert filled.json("meter", "put", "-", stdin=json.dumps(
        {"key": "m", "name": "M", "event_type": "t",
         "aggregation": "count"}))["key"] == "m"
    assert filled.json("subscription", "create", "-", stdin=json.dumps(
        {"customer": {"key": "x"}, "plan": {"key": "free"}}))[
        "status"] == "active"
    before = filled.everything()
    for noun in ("meter", "feature", "plan", "customer"):
        filled.refused(noun, "put", "-", stdin="{name: 7}", reason="MET_E_")
        filled.refused(noun, "put", "/nowhere", reason="/nowhere")
        filled.refused(noun, "put", "-", stdin="{", reason="line")
    assert filled.everything() == before


def test_rename_and_erase(filled):
    why = ("--reason", "asked for it", "--actor", "ada")
    assert filled.json("customer", "rename", "ariel", "arielle", *why)[
        "to"] == "arielle"
    assert filled.json("subject", "rename", "consumer:ariel", "consumer:a",
                       *why)["counts"]["customers"] == 1
    filled.refused("customer", "erase", "arielle", *why,
                   reason="active_subscriptions")
    filled.refused("customer", "erase", "arielle", reason="request.reason")
    subscription = next(
        item["id"] for item in filled.json("list", "subscriptions")["items"]
        if item["customer"]["key"] == "arielle")
    filled.run("subscription", "cancel", subscription)
    filled.run("customer", "erase", "arielle", *why)
    filled.refused("show", "customer", "arielle", reason="MET_E_NOT_FOUND")
    filled.run("subject", "erase", "consumer:guest", *why)
    assert "guest" not in str(filled.json("list", "consumers"))
    audit = filled.json("audit")["items"]
    assert [item["action"] for item in audit] == [
        "customer.rename", "subject.rename", "customer.erase",
        "subject.erase"]
    assert "ariel" not in str(audit)
    assert len(filled.run("audit")[0].splitlines()) == 5


def test_another_key(filled, tmp_path):
    why = ("--reason", "leaked", "--actor", "ada")
    done = filled.json("credential", "rotate", "rosario", "--grace", "7d",
                       *why)
    assert len(done["key"]) == 43
    assert done["old_credential"]["replaced_by"] == done["credential"]["id"]
    filled.refused("credential", "rotate", "rosario", "--id",
                   done["old_credential"]["id"], *why,
                   reason="rotated already")
    (tmp_path / "key").write_text("chosen-key\n")
    for _ in range(2):
        again = filled.json("credential", "rotate", "rosario", "--id",
                            done["credential"]["id"], "--key",
                            tmp_path / "key", "--ttl", "0", *why)
        assert "key" not in again and "old_credential" not in again
    assert filled.run("credential", "rotate", "ariel", *why, "--field",
                      "key")[0].strip()
    assert [item["action"] for item in filled.json("audit")["items"]] == [
        "credential.rotate"] * 3
    filled.refused("credential", "rotate", "rosario", "--grace", "soon", *why,
                   reason="--grace", status=2)
    filled.refused("credential", "rotate", "rosario", reason="reason")
    filled.refused("credential", "rotate", "rosario", "--key", "-", *why,
                   stdin="\n", reason="no key")
    filled.refused("credential", "rotate", "nobody", *why,
                   reason="no consumer of that name")
