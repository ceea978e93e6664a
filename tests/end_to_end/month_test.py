#!/usr/bin/env python3
"""The recorded month, replayed in virtual time, with a soft and with a hard
limit: attempts, refusals by reason, usage by service, invoices, all against
month_expected.json; and its invoice as a customer gets it."""
import json
import pathlib
import subprocess
import sys
import tempfile
from decimal import Decimal

import story

EXPECTED = json.loads((story.STORY / "month_expected.json").read_text())
KEPT = pathlib.Path(__file__).parent
UNAUTHORIZED = ("NO_KEY", "BAD_KEY", "DUPLICATE_KEY")


def check_files_are_made_by_the_script(scratch):
    subprocess.run([sys.executable, story.STORY / "make_month.py",
                    scratch / "month.ndjson", scratch / "expected.json"],
                   check=True)
    for made, kept in (("month.ndjson", "month.ndjson"),
                       ("expected.json", "month_expected.json")):
        assert (scratch / made).read_bytes() == \
            (story.STORY / kept).read_bytes(), kept


def replay(store, catalog):
    story.metering(store, "apply", "--at", "2026-01-01T00:00:00Z",
                   story.STORY / "kong.yaml", catalog)
    return story.metering_json(store, "gateway", "replay",
                               story.STORY / "month.ndjson")


def check_month(store, catalog, wanted):
    summary = replay(store, catalog)
    refused = summary["refused"]
    assert summary["attempts"] == EXPECTED["attempts"], summary
    assert summary["admitted"] == wanted["admitted"], summary
    assert refused.get("USAGE_LIMIT_REACHED", 0) == wanted["quota_denied"]
    assert refused["RATE_LIMITED"] == EXPECTED["rate_denied"], summary
    assert refused["NOT_ALLOWED"] == EXPECTED["forbidden"], summary
    assert sum(refused.get(name, 0) for name in UNAUTHORIZED) \
        == EXPECTED["unauthorized"], summary
    assert summary["admitted"] + sum(refused.values()) == summary["attempts"]

    used = story.usage(store, group_by=("subject", "service_name"))
    expected = {(f"consumer:{consumer}", service): count
                for consumer, services in EXPECTED["usage"].items()
                for service, count in services.items()}
    expected[("consumer:rosario", "example_service")] -= wanted["quota_denied"]
    assert used == expected, (used, expected)

    as_of = ("--as-of", "2026-02-01T00:00:00Z")
    preview = story.metering_json(store, "invoice", "preview", "rosario",
                                  "--due", *as_of)
    invoice = story.metering_json(store, "invoice", "finalize", "rosario",
                                  *as_of)
    for document in (preview, invoice):
        assert document["totals"]["total"] == wanted["total"], document
        quantities = [Decimal(part["quantity"]) for line in document["lines"]
                      for part in line["detailed_lines"]]
        assert quantities == [wanted["packages"]], document
    assert invoice["number"], invoice
    # Booked once, never twice.
    story.metering(store, "invoice", "finalize", "rosario", *as_of, status=1)
    assert len(story.metering_json(store, "invoice", "list")["items"]) == 1
    free = story.metering_json(store, "invoice", "preview", "ariel", "--due",
                               *as_of)
    assert Decimal(free["totals"]["total"]) == 0, free
    # A second replay would count virtual time twice.
    before = story.usage(store)
    story.metering(store, "gateway", "replay", story.STORY / "month.ndjson",
                   status=1)
    assert story.usage(store) == before
    assert story.metering_json(store, "check")["damaged"] == 0


# When it is known, and which id it got, is of no month.
VOLATILE = ("id", "as_of", "subscription_id")


def steady(node):
    """The same document without what differs from run to run."""
    if isinstance(node, list):
        return [steady(item) for item in node]
    if isinstance(node, dict):
        return {name: steady(value) for name, value in node.items()
                if name not in VOLATILE}
    return node


def check_documents(store, write):
    """The month billed by a run, rendered, against the kept documents; they
    are written anew with --write."""
    replay(store, story.STORY / "catalog.yaml")
    story.metering(store, "billing", "run", "--as-of", "2026-02-01T01:00:00Z")
    number = story.metering_json(store, "invoice", "list",
                                 "rosario")["items"][0]["number"]
    document = steady(story.metering_json(store, "invoice", "render", number))
    made = {"json": json.dumps(document, indent=2) + "\n"}
    for name in ("text", "html", "csv"):
        made[name] = subprocess.run(
            [story.TOOL, "invoice", "render", "-", f"--{name}"],
            input=json.dumps(document).encode(), capture_output=True,
            check=True).stdout.decode()
    for name, text in made.items():
        path = KEPT / f"month_invoice.{name}"
        if write:
            path.write_bytes(text.encode())
        assert path.read_bytes().decode() == text, path


def main():
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        check_files_are_made_by_the_script(scratch)
        soft = story.STORY / "catalog.yaml"
        hard = scratch / "hard.yaml"
        text = soft.read_text()
        assert text.count("is_soft_limit: true") == 1
        hard.write_text(text.replace("is_soft_limit: true",
                                     "is_soft_limit: false"))
        check_month(scratch / "soft", soft, EXPECTED["soft"])
        check_month(scratch / "hard", hard, EXPECTED["hard"])
        check_documents(scratch / "run", "--write" in sys.argv)
    print("month: ok")


if __name__ == "__main__":
    main()
