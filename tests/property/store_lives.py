#!/usr/bin/env python3
"""Lives of whole stores: every call in any order, with documents that are
right and documents that are not, while time goes on, jumps and steps back.

    store_lives.py [--count N] [--seed N] [--steps N] [--plant]

Whatever is refused is refused with an error that a caller may get. After some
steps what must always hold is looked at: lists and single answers agree, sums
are those of their parts, numbers have no gaps, an invoice made again is the
same, an export fills an empty store that exports the same, and the store's own
check finds nothing. --count is how many stores, each of --steps calls. --plant
spoils what is read, and must fail. The last line is "N passed, N failed".
"""
import argparse
import decimal
import json
import os
import random
import shutil
import sys
import tempfile
import traceback

import metering

from anything_wrong import spoiled, text_of
from store_documents import (CUSTOMERS, DAY, FEATURES, PLANS, SECOND, Documents,
                             ns_of, rfc)

decimal.getcontext().prec = 100
NEVER = ("MET_E_BUG", "MET_E_CORRUPT", "MET_E_NO_MEMORY", "MET_E_IO",
         "MET_E_UNKNOWN", "MET_E_MAP_FULL", "MET_E_FOREIGN", "MET_E_LAYOUT")
# What tells where it is: a field, or a place in the JSON.
NAMED = ("MET_E_INVALID", "MET_E_OVERFLOW", "MET_E_LIMIT", "MET_E_CONFLICT",
         "MET_E_NOT_FOUND", "MET_E_UNSUPPORTED")
UNNAMED = ("invoice", "catalog_apply")  # of many documents, or of none
STARTS = ["2024-01-31T00:00:00Z", "2024-02-29T23:59:59Z",
          "2025-12-31T23:59:30Z", "2026-03-29T00:30:00Z",
          "2026-01-01T00:00:00Z", "1970-01-02T00:00:00Z",
          "2099-12-31T00:00:00Z"]
METERS = [
    {"key": "calls", "name": "Calls", "event_type": "call",
     "aggregation": "count", "dimensions": {"route": "$.route"}},
    {"key": "tokens", "name": "Tokens", "event_type": "prompt",
     "aggregation": "sum", "value_property": "$.tokens",
     "dimensions": {"model": "$.model"}},
    {"key": "models", "name": "Models", "event_type": "prompt",
     "aggregation": "unique_count", "value_property": "$.model"},
    {"key": "peak", "name": "Peak", "event_type": "prompt",
     "aggregation": "max", "value_property": "$.tokens"}]


class Wrong(Exception):
    """What must never be."""


def check(holds, *what):
    if not holds:
        raise Wrong(*what)


class Life(Documents):
    """One store and what happens to it."""

    def __init__(self, seed, folder, plant):
        self.rng = random.Random(seed)
        self.folder = folder
        self.plant = plant
        self.now = ns_of(self.rng.choice(STARTS))
        self.open()
        self.events = 0
        self.copies = 0
        self.log = []

    def open(self):
        self.clock = metering.Clock(self.now)
        self.store = metering.open(os.path.join(self.folder, "store"),
                                   create=True, clock=self.clock)
        self.recorder = self.store.recorder()
        self.ingest = self.store.ingest()

    def close(self):
        self.ingest.close()
        self.recorder.close()
        self.store.close()

    # --- One call -----------------------------------------------------------
    def ask(self, name, *arguments):
        """The answer, or False when it was refused."""
        self.log.append((rfc(self.now), name, arguments))
        try:
            text = self.store._native.call(name, *arguments)
        except metering.MeteringError as error:
            text = None
            self.log[-1] += (error.name, error.field, error.reason)
            check(error.name not in NEVER, error.name, error.field,
                  error.reason)
            check(error.reason and (
                error.field or error.reason.startswith("line ")
                or error.name not in NAMED or name.startswith(UNNAMED)),
                  "no field", name, error.name, error.reason)
        except (TypeError, ValueError, OverflowError):
            text = None
        if text is None:
            return False
        answer = json.loads(text) if text else {}
        if self.plant and name == "customer_get":
            answer["name"] = "planted"
        return answer

    def items(self, name, *arguments):
        answer = self.ask(name, *arguments)
        return answer["items"] if answer else []

    def put(self, name, document, *rest, before=()):
        text = (spoiled(self.rng, document) if self.rng.random() < 0.25
                else text_of(document))
        return self.ask(name, *before, text, *rest)

    # --- What is chosen -----------------------------------------------------
    def subscription_id(self):
        found = self.some(self.items("subscription_list", None))
        return found["id"] if found else "01KKR5TPE0S0V9N3ATBGZ5W9K2"

    def invoice_id(self):
        found = self.some(self.items("invoice_list", None))
        return (found.get(self.rng.choice(("id", "number")), found["id"])
                if found else "INV-0001")

    # --- The catalog --------------------------------------------------------
    def do_meter(self):
        self.put("meter_put", self.rng.choice(METERS))

    def do_meter_remove(self):
        if self.rng.random() < 0.1:
            self.ask("meter_remove", self.word(["peak", "models"]))

    def do_feature(self):
        key = self.feature()
        document = {"key": key, "name": key}
        if key != "support":
            document["meter"] = {"key": key if key in FEATURES else "calls"}
            if key == "calls":
                self.maybe(document["meter"], filters={"route": "a"})
        self.put("feature_put", document)

    def do_feature_archive(self):
        if self.rng.random() < 0.1:
            self.ask("feature_archive", self.feature())

    def do_plan(self):
        document = self.plan()
        self.maybe(document, version=lambda: self.rng.randrange(4))
        self.put("plan_put", document)

    def do_plan_life(self):
        key = self.word(PLANS)
        way = self.rng.randrange(6)
        if way < 3:
            self.ask("plan_publish", key, self.instant(), self.flags() & 1)
        elif way == 3:
            self.ask("plan_next", key)
        elif way == 4:
            self.ask("plan_archive", key)
        else:
            self.ask("plan_remove", key, self.rng.randrange(4))

    def do_apply(self):
        document = {}
        self.maybe(document, meters=METERS, plans=lambda: [self.plan()
                                                           | {"publish": True}],
                   customers=[{"key": self.customer(), "name": "C"}],
                   subscriptions=lambda: [self.subscription()],
                   entitlements=lambda: [self.lone()],
                   grants=lambda: [self.grant()],
                   billing_profiles=lambda: [self.profile()],
                   notice_rules=lambda: [self.notice_rule()])
        self.put("catalog_apply", document, self.instant(),
                 self.rng.choice((0, 0, 1, 4, 8)))

    # --- Customers ----------------------------------------------------------
    def do_customer(self):
        document = {"key": self.customer(), "name": "A customer"}
        self.maybe(document, currency=lambda: self.rng.choice(("USD", "EUR")),
                   usage_attribution=lambda: {"subject_keys": self.rng.sample(
                       ["s1", "s2", "s3"], self.rng.randrange(3))})
        self.put("customer_put", document)

    def do_customer_life(self):
        way = self.rng.random()
        told = {"reason": "asked", "actor": "support"}
        if way < 0.4:
            self.put("customer_rename", told | {"to": self.customer()},
                     before=(self.customer(),))
        elif way < 0.6:
            self.put("subject_rename", told | {"to": self.word(["s1", "s4"])},
                     before=(self.word(["s1", "s2", "s4"]),))
        elif way < 0.65:
            self.put("customer_erase", told, before=(self.customer(),))
        elif way < 0.7:
            self.put("subject_erase", told, before=(self.word(["s3"]),))
        else:
            self.ask("customer_remove", self.customer())

    def do_subscribe(self):
        self.put("subscription_create", self.subscription(), self.flags())

    def do_subscription_life(self):
        chosen = self.subscription_id()
        way = self.rng.randrange(7)
        if way == 0:
            self.ask("subscription_cancel", chosen, self.instant(),
                     self.flags())
        elif way in (1, 2):
            document = self.subscription()
            self.maybe(document, 1, customer={})
            document.pop("customer")
            for name in ("active_from", "active_to", "billing_anchor"):
                if self.rng.random() < 0.95:
                    document.pop(name, None)
            self.put("subscription_change", document, self.instant(),
                     self.flags(), before=(chosen,))
        elif way == 3:
            self.put("subscription_migrate", self.maybe(
                {}, target_version=lambda: self.rng.randrange(4)),
                     self.instant(), self.flags(), before=(chosen,))
        elif way == 4:
            self.ask("subscription_continue", chosen)
        elif way == 5:
            self.ask("subscription_restore", chosen)
        else:
            self.ask("subscription_remove", chosen)

    # --- Entitlements -------------------------------------------------------
    def do_entitlement(self):
        self.put(self.rng.choice(("entitlement_create",
                                  "entitlement_override")),
                 self.lone(), self.flags() & 1)

    def do_entitlement_remove(self):
        if self.rng.random() < 0.3:
            self.ask("entitlement_remove", self.customer(), self.feature())

    def do_grant(self):
        self.put("grant_create", self.grant(), self.flags() & 1)

    def do_grant_void(self):
        found = self.some(self.items("grant_list", self.customer(), None))
        if found:
            self.ask("grant_void", found["id"], self.instant(),
                     self.flags() & 1)

    def do_reset(self):
        document = self.maybe({}, at=self.moment, retain_anchor=self.flag,
                              preserve_overage=self.flag)
        who = self.customer(), self.feature()
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            self.put("entitlement_reset", document, before=who)
            self.pass_time(self.rng.choice((0, 1, 60 * SECOND)))

    def do_ask_entitlement(self):
        who = self.customer(), self.feature()
        answer = self.ask("entitlement_get", *who, self.instant())
        if answer and "balance" in answer:
            self.see_balance(answer)
        self.ask("entitlement_history", *who, self.instant(), self.instant(),
                 self.rng.randrange(3))

    def see_balance(self, answer):
        """Amounts cannot be below zero, nor both left and owed."""
        amounts = {name: decimal.Decimal(answer[name]) for name in
                   ("balance", "usage", "overage", "total_available")}
        if answer["feature_key"] in ("calls", "tokens", "models"):
            check(not (amounts["balance"] and amounts["overage"]), answer)
        check(amounts["balance"] >= 0 and amounts["overage"] >= 0, answer)
        if "reason" not in answer:
            check(answer["has_access"], answer)
        check(answer["has_access"] or not amounts["balance"], answer)

    # --- Notices ------------------------------------------------------------
    def do_notice_rule(self):
        if self.rng.random() < 0.1:
            self.ask("notice_rule_remove", self.word(["low", "new"]))
        self.put("notice_rule_put", self.notice_rule())

    def do_notices(self):
        found = self.items("notice_next", self.rng.choice((0, 1, 100)),
                           self.rng.choice((0, 1, 60)) * SECOND)
        ids = [notice["id"] for notice in found]
        check(ids == sorted(set(ids)), "order of notices", ids)
        if ids:
            self.ask("notice_ack", self.some(ids), self.rng.randrange(2))
        self.ask("notice_list", 1000)

    # --- Usage and time -----------------------------------------------------
    def do_use(self):
        for _ in range(self.rng.randrange(1, 20)):
            subject = self.rng.choice(CUSTOMERS[:3] + ["s1", "s2"])
            try:
                if self.rng.random() < 0.5:
                    self.recorder.add("call", subject,
                                      {"route": self.rng.choice("ab")})
                else:
                    self.recorder.add(
                        "prompt", subject, {"model": self.rng.choice("xyz")},
                        {"tokens": decimal.Decimal(self.rng.choice(
                            (1, 5, "0.5", 100, -3)))})
            except metering.MeteringError as error:
                check(error.name not in NEVER, error.name, error.reason)
        if self.rng.random() < 0.7:
            self.store.settle()

    def do_event(self):
        """Also of weeks ago."""
        self.events += 1
        event = {"specversion": "1.0", "id": str(self.events), "source": "/x",
                 "type": self.rng.choice(("call", "prompt")),
                 "subject": self.rng.choice(CUSTOMERS[:3]),
                 "time": self.moment(),
                 "data": {"tokens": self.rng.choice((1, 250, "3.5", -1)),
                          "model": "x", "route": "a"}}
        text = (spoiled(self.rng, event) if self.rng.random() < 0.2
                else text_of(event))
        try:
            self.ingest.json(text)
        except (metering.MeteringError, ValueError) as error:
            check(getattr(error, "name", "") not in NEVER, error)

    def do_adjust(self):
        self.put("usage_adjust", {
            "id": str(self.rng.randrange(100)), "meter": "tokens",
            "subject": self.rng.choice(CUSTOMERS[:3]), "time": self.moment(),
            "value": self.rng.choice(("-12.5", "3", self.amount())),
            "reason": "r", "actor": "a"})

    def pass_time(self, ns):
        self.now = min(max(self.now + ns, DAY), ns_of("2190-01-01T00:00:00Z"))
        if ns >= 0:
            self.clock.set(self.now)
        else:
            self.close()
            self.open()

    def do_time(self):
        r = self.rng
        self.pass_time(r.choice((
            0, 1, SECOND, 60 * SECOND, r.randrange(DAY), r.randrange(DAY), DAY,
            r.randrange(40 * DAY), r.randrange(40 * DAY), -60 * SECOND,
            -SECOND, DAY - self.now % DAY)))
        if r.random() < 0.02:
            self.pass_time(r.choice((-40, 100, 400, 4000)) * DAY)

    def do_compact(self):
        if self.rng.random() < 0.2:
            self.ask("store_compact", 0, self.instant())

    # --- Money --------------------------------------------------------------
    def do_profile(self):
        who = self.rng.choice((None, self.customer()))
        if self.rng.random() < 0.15:
            self.ask("billing_profile_remove", who)
        else:
            self.put("billing_profile_put", self.profile(), before=(who,))
        self.ask("billing_profile_get", who)

    def do_bill(self):
        """A whole run, or a part of one."""
        as_of = self.rng.choice((None, None, None, self.now,
                                 max(self.now - self.rng.randrange(40 * DAY),
                                     1)))
        self.log.append((rfc(self.now), "bill", as_of))
        try:
            with self.store._native.billing_run(as_of) as run:
                for _ in range(self.rng.choice((1, 2, 100000))):
                    report = run.step()
                    if report["is_done"]:
                        break
                self.log[-1] += (report["failed_name"],
                                 report["failed_reason"])
                check(report["failed_name"] not in NEVER, report)
        except metering.MeteringError as error:
            check(error.name not in NEVER, error.name, error.reason)

    def do_finalize(self):
        who = self.customer()
        self.ask(self.rng.choice(("invoice_finalize", "invoice_interim")), who,
                 self.instant())
        preview = self.ask("invoice_preview", who, self.instant(),
                           self.rng.randrange(2))
        if preview:
            self.see_invoice(preview)

    def do_invoice_life(self):
        chosen = self.invoice_id()
        found = self.ask("invoice_get", chosen)
        actions = found.get("available_actions", []) if found else []
        action = self.word(actions or ["next"])
        done = self.ask("invoice_act", chosen, action)
        if action in actions and done is False:
            self.log.append(("refused although available", action))

    def do_credit(self):
        document = {"reason": "a mistake"}
        self.maybe(document, line=lambda: self.rng.randrange(-1, 4),
                   amount=self.amount)
        self.put("invoice_credit", document, before=(self.invoice_id(),))

    def see_invoice(self, invoice):
        """Sums are those of the parts."""
        for holder in [invoice, *invoice.get("lines", [])]:
            sums = {name: decimal.Decimal(value)
                    for name, value in holder["totals"].items()}
            check(sums["total"] == sums["amount"] + sums["charges_total"]
                  - sums["discounts_total"] - sums["credits_total"]
                  + sums["taxes_exclusive_total"], "total", holder)
        def total(holder, name):
            return decimal.Decimal(holder["totals"][name])
        for name in invoice.get("totals", {}):
            lines = invoice.get("lines", [])
            if lines:
                check(sum(total(line, name) for line in lines)
                      == total(invoice, name), "lines", name, invoice)
            for line in lines:
                parts = line.get("detailed_lines")
                if parts and name in ("amount", "discounts_total"):
                    check(sum(total(part, name) for part in parts)
                          == total(line, name), "parts", name, line)

    # --- What must hold -----------------------------------------------------
    def see_lists(self):
        for listed, single, key in (
                ("meter_list", "meter_get", "key"),
                ("feature_list", "feature_get", "key"),
                ("customer_list", "customer_get", "key"),
                ("notice_rule_list", "notice_rule_get", "key")):
            for item in self.items(listed):
                if "archived_at" not in item:  # its key may be another's now
                    check(self.ask(single, item[key]) == item, listed, item)
        for item in self.items("plan_list"):
            one = self.ask("plan_get", item["key"], item["version"], 0)
            check(one == item, "plan", one, item)
        for item in self.items("subscription_list", None):
            one = self.ask("subscription_get", item["id"], 0)
            check(one and all(one.get(name) == item[name] for name in item),
                  "subscription", one, item)

    def see_customers(self):
        for customer in self.items("customer_list"):
            key = customer["key"]
            for item in self.items("entitlement_list", key, 0):
                one = self.ask("entitlement_get", key, item["feature_key"], 0)
                check(one == item, "entitlement", one, item)
                if "balance" in item:
                    self.see_balance(item)
            for item in self.items("grant_list", key, None):
                check(self.ask("grant_get", item["id"]) == item, "grant", item)

    def see_invoices(self):
        series = {}
        for item in self.items("invoice_list", None):
            whole = self.ask("invoice_get", item["id"])
            check(whole, "invoice", item)
            self.see_invoice(whole)
            again = self.ask("invoice_recompute", item["id"], 0)
            check(again is False or again["is_identical"], "recompute", again)
            for name in again["invoice"] if again else ():
                check(again["invoice"][name] == whole.get(name), "again",
                      name, again["invoice"][name], whole.get(name))
            number = whole.get("number", "")
            if not number.startswith("DRAFT"):
                name, *_, digits = number.split("-")
                series.setdefault(name, []).append(int(digits))
        for name, numbers in series.items():
            check(sorted(numbers) == list(range(1, len(numbers) + 1)),
                  "numbers", name, sorted(numbers))

    def see_export(self):
        text = self.store._native.call("catalog_export")
        self.copies += 1
        path = os.path.join(self.folder, f"copy{self.copies}")
        with metering.open(path, create=True, clock=self.clock) as copy:
            try:
                copy._native.call("catalog_apply", text, 0, 0)
                again = copy._native.call("catalog_export")
            except metering.MeteringError as error:
                raise Wrong("export", error.name, error.field, error.reason,
                            text) from error
            check(text == again, "export", text, again)
        shutil.rmtree(path)

    def see_all(self):
        self.see_lists()
        self.see_customers()
        self.see_invoices()
        self.see_export()
        report = self.ask("store_check")
        check(report is not False, "check")

    def begin(self):
        self.ask("catalog_apply", text_of({
            "meters": METERS, "features": [
                {"key": key, "name": key} | (
                    {} if key == "support" else {"meter": {"key": key}})
                for key in FEATURES],
            "customers": [{"key": key, "name": key} for key in CUSTOMERS]}),
            0, 0)
        for key in PLANS * 2:
            plan = self.plan(key) | {"currency": "USD"}
            self.ask("plan_put", text_of(plan))
            self.ask("plan_publish", key, 0, 0)

    def live(self, steps):
        actions = [getattr(self, name) for name in sorted(dir(self))
                   if name.startswith("do_")]
        weights = [{"do_use": 3, "do_time": 4, "do_subscribe": 2,
                    "do_subscription_life": 2, "do_plan_life": 2,
                    "do_bill": 2, "do_invoice_life": 2, "do_grant": 2,
                    "do_ask_entitlement": 2}.get(a.__name__, 1)
                   for a in actions]
        self.begin()
        for step in range(steps):
            self.rng.choices(actions, weights)[0]()
            if step % 100 == 99:
                self.see_all()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    failed = 0
    for seed in range(options.seed, options.seed + options.count):
        with tempfile.TemporaryDirectory(prefix="lives-") as folder:
            life = Life(seed, folder, options.plant)
            try:
                life.live(options.steps)
            except Exception:
                failed += 1
                print(f"--- seed {seed}", flush=True)
                text = traceback.format_exc()
                print(text if len(text) < 5000
                      else f"{text[:1500]} ... {text[-3500:]}")
                for entry in life.log[-3:]:
                    print("   ", str(entry)[:1500])
            finally:
                life.close()
    print(f"{options.count - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
