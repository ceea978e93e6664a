#!/usr/bin/env python3
"""Stores that earlier builds have written open, settle and answer.

    upgrade_test.py                 every archive in upgrade/
    upgrade_test.py --make ARCHIVE  write one with this build, and what it says

An archive holds the recorded month, settled, with an invoice; and the slot
files of a gateway that was killed after UNSETTLED answered requests. An
archive is never written anew: it is what that build left on disk."""
import http.client
import json
import pathlib
import sys
import tarfile
import tempfile

import story

UPGRADE = pathlib.Path(__file__).resolve().parent / "upgrade"
UNSETTLED = 25
CONFIGURED = ("kong.yaml", "catalog.yaml", "load.yaml")


def month(store):
    rows = story.usage(store, group_by=("subject", "service_name"))
    return [{"subject": subject, "service": service, "value": value}
            for (subject, service), value in sorted(rows.items())]


def make(archive):
    with tempfile.TemporaryDirectory() as name:
        store = pathlib.Path(name) / "store"
        story.metering(store, "apply", "--at", "2026-01-01T00:00:00Z",
                       *(story.STORY / file for file in CONFIGURED))
        story.metering(store, "gateway", "replay",
                       story.STORY / "month.ndjson")
        invoice = story.metering_json(store, "invoice", "finalize", "rosario",
                                      "--as-of", "2026-02-01T00:00:00Z")
        expected = {"month": month(store), "invoice": invoice}
        gateway = story.Gateway(store)
        for _ in range(UNSETTLED):
            peer = http.client.HTTPConnection("127.0.0.1", gateway.port)
            peer.request("GET", "/anything", headers={"apikey": "load-key"})
            assert peer.getresponse().status == 200
            peer.close()
        gateway.kill()
        with tarfile.open(archive, "w:xz") as tar:
            tar.add(store, "store")
    archive.with_suffix("").with_suffix(".json").write_text(
        json.dumps(expected, indent=1) + "\n")


def check(archive):
    expected = json.loads(
        archive.with_suffix("").with_suffix(".json").read_text())
    with tempfile.TemporaryDirectory() as name:
        with tarfile.open(archive) as tar:
            tar.extractall(name)
        store = pathlib.Path(name) / "store"
        for _ in range(2):  # the second time there is nothing left to do
            story.metering(store, "settle")
            rows = story.usage(store, "consumer:load",
                               start="2026-11-01T00:00:00Z",
                               end="2027-01-01T00:00:00Z")
            assert sum(rows.values()) == UNSETTLED, rows
            assert month(store) == expected["month"], month(store)
        invoice = story.metering_json(store, "invoice", "show",
                                      expected["invoice"]["number"])
        assert invoice.pop("available_actions") == ["next", "void"]
        assert invoice == expected["invoice"], invoice
        assert story.metering_json(store, "check")["damaged"] == 0
        # What it was configured with still means the same.
        again = story.metering(store, "apply", "--dry-run",
                               *(story.STORY / file for file in CONFIGURED))
        rows = again.splitlines()[1:]
        assert rows and all(row.startswith("unchanged ") for row in rows), again
        # A gateway serves on it, beside the tables of the earlier build.
        gateway = story.Gateway(store)
        peer = http.client.HTTPConnection("127.0.0.1", gateway.port)
        peer.request("GET", "/anything", headers={"apikey": "load-key"})
        assert peer.getresponse().status == 200
        peer.close()
        assert gateway.stop() == 0
        print(f"{archive.name}: opens, settles, answers, serves")


def main():
    if sys.argv[1:2] == ["--make"]:
        make(pathlib.Path(sys.argv[2]))
        return
    archives = sorted(UPGRADE.glob("*.tar.xz"))
    assert archives, "no archives"
    for archive in archives:
        check(archive)


if __name__ == "__main__":
    main()
