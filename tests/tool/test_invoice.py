"""invoice preview, finalize, list, show."""
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
