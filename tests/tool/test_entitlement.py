"""entitlement create, override, remove, reset, simulate; grant …"""
import json

LONE = {"customer": {"key": "mara"}, "feature": {"key": "example_service"},
        "type": "metered", "usage_period": {"interval": "P1M"},
        "measure_usage_from": "now", "issue_after_reset": "100"}
CUSTOMER = {"key": "mara", "name": "Mara"}
GRANT = {"customer": {"key": "mara"}, "feature": {"key": "example_service"},
         "amount": "50", "priority": 3}


def given(tool):
    tool.run("customer", "put", "-", stdin=json.dumps(CUSTOMER))
    tool.run("entitlement", "create", "-", stdin=json.dumps(LONE))


def balance(tool):
    return tool.run("entitlement", "show", "mara", "example_service",
                    "--field", "balance")[0].strip()


def test_entitlements(filled):
    given(filled)
    assert balance(filled) == "100"
    filled.refused("entitlement", "create", "-", stdin=json.dumps(LONE),
                   reason="two entitlements")
    larger = dict(LONE, issue_after_reset="200")
    filled.run("entitlement", "override", "-", stdin=json.dumps(larger))
    assert balance(filled) == "200"
    filled.run("entitlement", "remove", "mara", "example_service")
    filled.refused("entitlement", "remove", "mara", "example_service",
                   reason="MET_E_NOT_FOUND")
    filled.refused("entitlement", "remove", "rosario", "example_service",
                   reason="subscription")


def test_balance(filled):
    given(filled)
    assert filled.run("entitlement", "balance", "mara",
                      "example_service")[0] == "100\n"
    filled.run("grant", "create", "-", stdin=json.dumps(dict(
        GRANT, amount="0.5")))
    shown = filled.json("entitlement", "balance", "mara", "example_service")
    assert shown["balance"] == "100.5"
    assert shown == filled.json("entitlement", "show", "mara",
                                "example_service")
    assert filled.run("entitlement", "balance", "mara", "example_service",
                      "--field", "total_available")[0] == "100.5\n"
    table = filled.run("entitlement", "balance", "mara")[0].splitlines()
    assert table[0].split()[:5] == ["FEATURE", "KEY", "BALANCE", "USAGE",
                                    "OVERAGE"]
    assert table[1].split()[:4] == ["example_service", "100.5", "0", "0"]
    filled.refused("entitlement", "balance", "mara", "example_service",
                   "--at", "2020-01-01T00:00:00Z", reason='"no_subscription"')
    filled.refused("entitlement", "balance", "nobody",
                   reason="MET_E_NOT_FOUND")


def test_kinds_of_a_customer(filled):
    given(filled)
    made = filled.json("grant", "create", "-", stdin=json.dumps(GRANT))
    assert filled.json("list", "grants", "mara")["items"] == [made]
    assert filled.json("show", "grant", made["id"]) == made
    entitled = filled.json("entitlement", "show", "mara", "example_service")
    assert filled.json("list", "entitlement", "mara")["items"] == [entitled]
    assert filled.json("show", "entitlement", "mara",
                       "example_service") == entitled
    assert filled.run("show", "entitlement", "mara", "example_service", "--at",
                      "2020-01-01T00:00:00Z", "--field", "reason")[
                          0] == "no_subscription\n"
    rosarios = filled.json("list", "subscription", "rosario")["items"]
    assert [one["customer"]["key"] for one in rosarios] == ["rosario"]
    assert filled.json("list", "invoices", "rosario")["items"] == []
    for words, reason in ((("list", "grant"), "whose"),
                          (("list", "entitlements"), "whose"),
                          (("list", "meter", "mara"), "of no customer"),
                          (("show", "entitlement", "mara"), "of which"),
                          (("show", "grant", made["id"], "x"), "one KEY")):
        filled.refused(*words, reason=reason, status=2)
    filled.refused("list", "grant", "nobody", reason="MET_E_NOT_FOUND")
    filled.refused("show", "grant", "nobody", reason="MET_E_")


def test_usage_period_beyond_all_years(filled):
    filled.run("customer", "put", "-", stdin=json.dumps(CUSTOMER))
    card = {"key": "example_service", "name": "E", "billing_cadence": "P1M",
            "feature": {"key": "example_service"},
            "entitlement": {"type": "metered", "limit": "1",
                            "usage_period": "P200Y"}}
    plan = {"name": "P", "currency": "USD", "billing_cadence": "P1M",
            "phases": [{"key": "a", "name": "A", "rate_cards": [card]}]}
    filled.refused("subscription", "create", "-", stdin=json.dumps(
        {"customer": {"key": "mara"}, "custom_plan": plan}),
        reason="the years 1970 to 2200")


def test_grants(filled):
    given(filled)
    made = filled.json("grant", "create", "-", stdin=json.dumps(GRANT))
    assert balance(filled) == "150"
    assert filled.json("grant", "list", "mara")["items"] == [made]
    assert filled.json("grant", "list", "mara", "example_service")[
        "items"] == [made]
    assert filled.run("grant", "show", made["id"], "--field", "amount")[
        0].strip() == "50"
    assert filled.run("grant", "list", "mara")[0].splitlines()[1].split()[
        0] == made["id"]
    gone = filled.json("grant", "void", made["id"])
    assert "voided_at" in gone
    assert balance(filled) == "100"
    filled.refused("grant", "void", made["id"], reason="voided already")
    filled.refused("grant", "create", "-", reason="grant.amount",
                   stdin=json.dumps(dict(GRANT, amount="0")))


def test_reset(filled):
    begin = "2026-01-01T00:00:00Z"
    filled.run("customer", "put", "-", stdin=json.dumps(CUSTOMER))
    filled.run("entitlement", "create", "-", "--allow-past",
               stdin=json.dumps(dict(
                   LONE, active_from=begin,
                   usage_period={"interval": "P1Y", "anchor": begin})))
    shown = filled.json("entitlement", "reset", "mara", "example_service",
                        "--retain-anchor", "--overage", "forget")
    assert shown["current_usage_period"]["from"] > begin
    filled.refused("entitlement", "reset", "mara", "example_service",
                   "--overage", "maybe", reason="keep or forget", status=2)
    filled.refused("entitlement", "reset", "mara", "example_service",
                   "--at", "2025-12-31T00:00:00Z", reason="MET_E_INVALID")


def test_simulate(tool):
    asked = {"entitlement": {"usage_period": {"interval": "P1M"},
                             "measure_usage_from": "2026-01-01T00:00:00Z",
                             "issue_after_reset": "100"},
             "grants": [{"id": "top-up", "amount": "50",
                         "effective_at": "2026-01-15T00:00:00Z"}],
             "resets": [{"at": "2026-02-10T00:00:00Z"}],
             "usage": [{"at": "2026-01-10T00:00:00Z", "value": "120.5"},
                       {"at": "2026-02-05T00:00:00Z", "value": "10"}],
             "at": ["2026-01-12T00:00:00Z", "2026-01-20T00:00:00Z",
                    "2026-02-05T00:00:00Z", "2026-02-10T00:00:00Z"]}
    values = json.loads(tool.run("entitlement", "simulate", "-", "--json",
                                 stdin=json.dumps(asked), store=False)[0])[
                                     "values"]
    assert [(v["balance"], v["usage"], v["overage"], v["total_available"])
            for v in values] == [("0", "120.5", "20.5", "100"),
                                 ("29.5", "120.5", "0", "150"),
                                 ("119.5", "10", "0", "129.5"),
                                 ("119.5", "0", "0", "119.5")]
    assert values[1]["grants"] == [{"id": "top-up", "balance": "29.5"},
                                   {"id": "issued", "balance": "0"}]
    out, _ = tool.run("entitlement", "simulate", "-", stdin=json.dumps(asked),
                      store=False)
    assert len(out.splitlines()) == 5
    for member, reason in (("entitlement", "simulation.entitlement"),
                           ("at", "simulation.at")):
        tool.refused("entitlement", "simulate", "-", store=False,
                     stdin=json.dumps({k: v for k, v in asked.items()
                                       if k != member}), reason=reason)
    tool.refused("entitlement", "simulate", "-", store=False, stdin=json.dumps(
        dict(asked, usage=[{"at": "2026-01-10T00:00:00Z"}])),
                 reason="simulation.usage[0].value")
