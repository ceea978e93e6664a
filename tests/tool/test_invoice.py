"""invoice preview, finalize, list, show, render, export."""
import csv
import io
import json

import pytest


def test_preview_of_nothing(unchanged):
    document = unchanged.json("invoice", "preview", "ariel")
    assert float(document["totals"]["total"]) == 0
    out, _ = unchanged.run("invoice", "preview", "ariel")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert unchanged.run("invoice", "preview", "ariel", "--field",
                         "customer.key")[0].strip() == "ariel"


def test_nothing_is_due(unchanged):
    unchanged.refused("invoice", "finalize", "ariel", reason="MET_E_CONFLICT")
    assert unchanged.json("invoice", "list")["items"] == []
    document = unchanged.json("invoice", "finalize", "ariel", "--dry-run")
    assert document["lines"] == []


@pytest.mark.parametrize("verb", ["preview", "finalize"])
def test_bad_customer_or_time(unchanged, verb):
    for name in ("nobody", "", "x" * 100000, "a\x01"):
        unchanged.refused("invoice", verb, name, reason="MET_E_")
    for text in ("", "NaN", "tomorrow", "2026-02-30T00:00:00Z"):
        unchanged.refused("invoice", verb, "ariel", "--as-of", text,
                          reason="--as-of", status=2)
    unchanged.refused("invoice", verb, reason="CUSTOMER", status=2)


def test_no_such_invoice(unchanged):
    for name in ("nothing", "", "x" * 100000):
        unchanged.refused("invoice", "show", name, reason="MET_E_")
    for name in ("nobody", "", "x" * 100000):
        unchanged.refused("invoice", "list", name, reason="MET_E_")
    assert unchanged.json("invoice", "list", "ariel")["items"] == []


LINE = {"key": "api", "name": "API <b>", "quantity": "5001",
        "price": {"type": "unit", "amount": "0.01"},
        "totals": {"amount": "50.01", "total": "50.01"}}
INVOICE = {"number": "INV-1", "status": "issued", "currency": "EUR",
           "customer": {"key": "k", "name": "=K"}, "lines": [LINE],
           "totals": {"total": "50.01"}}


def test_render_a_document(tool):
    def render(*words):
        return tool.run("invoice", "render", "-", *words, store=False,
                        stdin=json.dumps(INVOICE))[0]

    assert render().startswith("INVOICE INV-1 ")
    assert render("--text") == render()
    assert "API &lt;b&gt;" in render("--html")
    assert json.loads(render("--json")) == INVOICE
    rows = list(csv.DictReader(io.StringIO(render("--csv"))))
    assert len(rows) == 1
    assert rows[0]["total"] == "50.01"
    assert rows[0]["customer_name"] == "'=K"
    tool.refused("invoice", "render", "-", "--html", "--csv", store=False,
                 reason="one of", status=2)
    tool.refused("invoice", "render", "-", store=False, stdin="{}",
                 reason="invoice.lines")


def test_render_and_export(filled):
    catalog = {"plans": [{"key": "fee", "name": "Fee", "currency": "USD",
                          "billing_cadence": "P1M", "publish": True,
                          "phases": [{"key": "p", "name": "P", "rate_cards": [
                              {"key": "fee", "name": "Fee",
                               "billing_cadence": "P1M",
                               "price": {"type": "flat", "amount": "9",
                                         "payment_term": "in_advance"}}]}]}],
               "customers": [{"key": "c1", "name": "C1"},
                             {"key": "c2", "name": "C2"}],
               "subscriptions": [{"customer": {"key": key},
                                  "plan": {"key": "fee"}}
                                 for key in ("c1", "c2")]}
    filled.run("apply", "-", stdin=json.dumps(catalog))
    numbers = [filled.json("invoice", "finalize", key)["number"]
               for key in ("c1", "c2")]
    page, _ = filled.run("invoice", "render", numbers[0], "--html")
    assert page.startswith("<!DOCTYPE html>") and numbers[0] in page
    out, _ = filled.run("invoice", "export")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["number"] for row in rows] == numbers
    assert all(row["total"] == "9.00" for row in rows)
    out, _ = filled.run("invoice", "export", "c2", "--json")
    assert [json.loads(line)["number"] for line in out.splitlines()] == \
        numbers[1:]
    filled.refused("invoice", "export", "nobody", reason="MET_E_NOT_FOUND")
    filled.refused("invoice", "render", "INV-9999", reason="MET_E_NOT_FOUND")
