"""billing run, billing profile, invoice act, void, credit, recompute."""
import json
import os
import re
import resource
import shutil
import subprocess

from conftest import ROOT, STORY, Tool

MONTH = "2026-02-01T02:00:00Z"


def begin(tool):
    """The recorded month, not billed yet."""
    tool.run("apply", "--at", "2026-01-01T00:00:00Z", STORY / "kong.yaml",
             STORY / "catalog.yaml")
    tool.run("gateway", "replay", STORY / "month.ndjson")


def test_a_run_bills_everybody_once(tool):
    begin(tool)
    report = tool.json("billing", "run", "--as-of", MONTH)
    assert report["as_of"] == MONTH
    assert (report["drafts"], report["issued"], report["failed"]) == (1, 1, 0)
    again = tool.json("billing", "run", "--as-of", MONTH)
    assert again["drafts"] == 0
    out, _ = tool.run("billing", "run")
    assert "customers" in out
    invoice = tool.json("invoice", "show", "INV-0001")
    assert invoice["issued_at"] == MONTH
    out, _ = tool.run("invoice", "recompute", "INV-0001")
    assert out == "INV-0001: the same\n"
    usage = tool.json("invoice", "recompute", "INV-0001", "--usage")
    assert usage["is_changed"] is False
    assert usage["total"] == usage["total_now"] == invoice["totals"]["total"]
    for threads in ("0", "65", "two"):
        tool.refused("billing", "run", "--threads", threads,
                     reason="--threads", status=2)
    tool.refused("billing", "run", "--as-of", "2199-01-01T00:00:00Z",
                 reason="--as-of")
    tool.refused("billing", "run", "--follow", "--as-of", MONTH,
                 reason="--as-of", status=2)


def test_threads_bill_what_one_does(tool):
    begin(tool)
    report = tool.json("billing", "run", "--as-of", MONTH, "--threads", "5")
    assert (report["drafts"], report["issued"], report["failed"]) == (1, 1, 0)
    invoice = tool.json("invoice", "show", "INV-0001")
    assert invoice["issued_at"] == MONTH
    again = tool.json("billing", "run", "--as-of", MONTH, "--threads", "1")
    assert again["drafts"] == 0


def many(tool, count):
    """So many customers, each with a fee of a month."""
    fee = {"key": "fee", "name": "Fee", "billing_cadence": "P1M",
           "price": {"type": "flat", "amount": "9"}}
    plan = {"key": "p", "name": "P", "currency": "USD", "publish": True,
            "billing_cadence": "P1M",
            "phases": [{"key": "all", "name": "All", "rate_cards": [fee]}]}
    keys = [f"c{i}" for i in range(count)]
    tool.run("apply", "--at", "2026-01-01T00:00:00Z", "-", stdin=json.dumps({
        "plans": [plan],
        "customers": [{"key": key, "name": key} for key in keys],
        "subscriptions": [{"customer": {"key": key}, "plan": {"key": "p"}}
                          for key in keys]}))


def left_in_the_middle(tool, place, as_of):
    """A copy of the store, in which a run died of the size of a file."""
    size = (tool.directory / "data.mdb").stat().st_size
    for limit in range(size // 2, 4 * size, size // 16):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(tool.directory, place)
        done = subprocess.run(
            [os.environ["METERING_TOOL"], "-d", place, "billing", "run",
             "--as-of", as_of], capture_output=True, timeout=60, check=False,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (limit, limit)))
        if done.returncode == 0:
            break
        copy = Tool(place)
        if copy.json("invoice", "list")["items"]:
            return copy
    raise AssertionError("no run was left in the middle")


def test_a_run_that_was_left_is_ended_first(tool, tmp_path):
    """What is due now is billed then, too."""
    many(tool, 300)
    copy = left_in_the_middle(tool, tmp_path / "copy", MONTH)
    runs = [line.split(":")[0] for line in
            copy.run("billing", "run")[0].splitlines()]
    invoices = copy.json("invoice", "list")["items"]
    assert sum(one["as_of"] == MONTH for one in invoices) == 300
    assert len(invoices) == 600
    assert len(runs) == 2


def check_statuses(tool):
    """Every status that the library knows can be asked for, and no other."""
    states = (ROOT / "libmetering/invoice/invoice_state.h").read_text()
    known = {name.split(".")[0]
             for name in re.findall(r'X\(MET__STATE_\w+,\s*"([\w.]+)"', states)}
    assert {"draft", "overdue", "deleted"} < known
    for word in known:
        assert all(item["status"] == word for item in tool.json(
            "invoice", "list", "--status", word)["items"])
    for word in ("x", "", "draft.invalid", "Draft"):
        reason = tool.refused("invoice", "list", "--status", word,
                              reason="--status", status=2)
        assert all(name in reason for name in known), reason


def test_a_draft_waits_for_somebody(tool):
    begin(tool)
    profile = {"workflow": {"invoicing": {"auto_advance": False}}}
    tool.run("billing", "profile", "put", "-", "--customer", "rosario",
             stdin=json.dumps(profile))
    shown = json.loads(tool.run("billing", "profile", "show", "--customer",
                                "rosario")[0])
    assert shown["workflow"]["invoicing"]["auto_advance"] is False
    tool.run("billing", "run", "--as-of", MONTH)
    draft = tool.json("invoice", "list", "--status", "draft")["items"][0]
    assert draft["extended_status"] == "draft.manual_approval_needed"
    assert tool.json("invoice", "list", "--status", "issued")["items"] == []
    check_statuses(tool)
    tool.refused("invoice", "act", draft["id"], "paid",
                 reason="MET_E_CONFLICT")
    tool.refused("invoice", "act", draft["id"], "dance",
                 reason="MET_E_INVALID")
    issued = tool.json("invoice", "act", draft["id"], "approve")
    assert issued["number"] == "INV-0001"
    tool.run("billing", "profile", "remove", "--customer", "rosario")
    tool.refused("billing", "profile", "remove", "--customer", "rosario",
                 reason="MET_E_NOT_FOUND")
    tool.refused("billing", "profile", "put", reason="FILE", status=2)
    tool.refused("billing", "profile", "dance", reason="dance", status=2)


def test_giving_back(tool):
    begin(tool)
    tool.run("billing", "run", "--as-of", MONTH)
    note = tool.json("invoice", "credit", "INV-0001", "--reason", "sorry",
                     "--amount", "0.50")
    assert (note["number"], note["totals"]["total"]) == ("CN-0001", "-0.50")
    note = tool.json("invoice", "credit", "INV-0001", "--reason", "sorry",
                     "--line", "1=0.25")
    assert note["lines"][0]["invoice_line"] == 1
    tool.refused("invoice", "credit", "INV-0001", reason="--reason",
                 status=2)
    tool.refused("invoice", "credit", "INV-0001", "--reason", "x", "--line",
                 "one", reason="--line", status=2)
    tool.refused("invoice", "credit", "INV-0001", "--reason", "x",
                 "--amount", "1000", reason="MET_E_INVALID")
    assert tool.json("invoice", "void", "INV-0001")["status"] == "voided"
    tool.refused("invoice", "void", "INV-0001", reason="MET_E_CONFLICT")
