"""Golden kinds of entitlements that are scripts: usage, grants, resets by hand,
balances, history; each in a store of its own, in virtual time. What is about
stored states stays with the runner in C: nobody outside sees them."""
import itertools
from datetime import datetime, timedelta

import metering
from golden import Skip, expect, kind

NAMES = itertools.count()
MINUTE = timedelta(minutes=1)
PRIVATE = ("grant_balances",)


def at(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def whole_minute(moment):
    """Usage is known by the minute: what began, ended."""
    rest = timedelta(seconds=moment.second, microseconds=moment.microsecond)
    return moment + MINUTE - rest if rest else moment


class Script:
    """A customer with one entitlement, from before its first moment on."""

    def __init__(self, given, steps, folder):
        moments = [at(step[name]) for step in steps for name in ("at", "now")
                   if isinstance(step.get(name), str)]
        period = given["usage_period"]
        begin = min(moments + [at(period["effective_from"]),
                               at(given["measure_usage_from"])])
        self.clock = metering.Clock(begin - timedelta(days=2))
        self.store = metering.open(folder / f"{next(NAMES)}", create=True,
                                   clock=self.clock)
        self.store.apply({
            "meters": [{"key": "units", "name": "Units", "event_type": "use",
                        "aggregation": given["aggregation"].lower(),
                        "value_property": "$.value"}],
            "features": [{"key": "units", "name": "Units",
                          "meter": {"key": "units"}}],
            "customers": [{"key": "who", "name": "Who", "currency": "USD",
                           "usage_attribution": {"subject_keys": ["who"]}}]})
        self.set(begin)
        self.store.create_entitlement({
            "customer": {"key": "who"}, "feature": {"key": "units"},
            "type": "metered", "is_soft_limit": True,
            "active_from": at(period["effective_from"]),
            "usage_period": {"interval": period["interval"],
                             "anchor": at(period["anchor"])},
            "measure_usage_from": at(given["measure_usage_from"]),
            "preserve_overage_at_reset":
                bool(given.get("preserve_overage_at_reset"))},
            allow_past=True)
        self.recorder = self.store.recorder()

    def close(self):
        self.recorder.close()
        self.store.close()

    def set(self, moment):
        if moment > metering.datetime_of(self.clock.utc_ns):
            self.clock.set(moment)

    def usage(self, step):
        self.recorder.add("use", "who", None, {"value": step["value"]},
                          at(step["at"]))

    def grant(self, step):
        grant = step["grant"]
        document = {"customer": {"key": "who"}, "feature": {"key": "units"},
                    "amount": grant["amount"], "priority": grant["priority"],
                    "effective_at": at(grant["effective_at"])}
        if grant.get("expires_at"):
            lasts = at(grant["expires_at"]) - at(grant["effective_at"])
            hours, rest = divmod(lasts, timedelta(hours=1))
            if rest:
                raise Skip("grants end after whole hours")
            document["expiration"] = {"duration": "hour", "count": hours}
        rollover = grant.get("rollover") or {"min": 0, "max": 0}
        document["max_rollover_amount"] = rollover["max"]
        document["min_rollover_amount"] = rollover["min"]
        if grant.get("recurrence"):
            document["recurrence"] = {
                "interval": grant["recurrence"]["interval"],
                "anchor": at(grant["recurrence"]["anchor"])}
        self.store.create_grant(document, allow_past=True)

    def value(self, got):
        return {**{name: got.get(name) for name in (
            "balance", "usage", "overage", "total_available")},
            "start_of_period": got["current_usage_period"]["from"]}

    def same(self, step, got):
        for name in ("expect", "derived"):
            expect({key: value for key, value in (step.get(name) or
                                                  {}).items()
                    if key not in PRIVATE}, self.value(got), name)

    def balance(self, step):
        moment = whole_minute(at(step["at"]))
        self.set(max(moment, at(step.get("now", step["at"]))))
        self.store.settle()
        self.same(step, self.store.entitlement("who", "units", moment))

    def reset(self, step):
        self.set(at(step["now"]))
        self.store.settle()
        document = {"at": at(step["at"])}
        for name in ("retain_anchor", "preserve_overage"):
            if step.get(name) is not None:
                document[name] = step[name]
        try:
            got = self.store.reset_entitlement("who", "units", document)
        except metering.InvalidError as error:
            wanted = (step.get("expect") or {}).get("error")
            assert wanted, error
            for words in ("before current usage period start",
                          "must be after last reset"):
                assert words not in wanted or words in error.reason, error
            return
        assert "error" not in (step.get("expect") or {}), got
        self.same(step, got)

    def history(self, step):
        self.set(at(step["now"]))
        self.store.settle()
        wanted = step["expect"]
        try:
            got = self.store.entitlement_history(
                "who", "units", window=step["window"].lower(),
                from_=at(step["from"]) if step.get("from") else None,
                to=at(step["to"]) if step.get("to") else None)
        except metering.MeteringError as error:
            assert "error" in wanted, error
            return
        assert "error" not in wanted, got
        # A segment without length, and what began or ended it, is nothing
        # that is answered.
        empty = [row for row in wanted.get("segments", ())
                 if row.get("from") and row["from"] == row.get("to")]
        segments = [{name: value for name, value in row.items()
                     if name not in ("index", "usage_reset", "rollover")}
                    for row in wanted.get("segments", ()) if row not in empty]
        if "segment_count" in wanted:
            expect(wanted["segment_count"] - len(empty), len(got["segments"]),
                   "segments")
        if "window_count" in wanted:
            expect(wanted["window_count"], len(got["windows"]), "windows")
        for i, row in enumerate(segments):
            expect(row, got["segments"][i], f"segment {i}")
        for row in wanted.get("windows", ()):
            index = row.pop("index")
            expect(row, got["windows"][index], f"window {index}")
        expect((step.get("derived") or {}).get("windows", got["windows"]),
               got["windows"], "windows")


@kind("entitlement_balance", "entitlement_history", "entitlement_reset")
def script(item, folder):
    given, steps = item["input"], item["steps"]
    kinds = {step["do"] for step in steps}
    if kinds & {"save_snapshot", "stored_reset"}:
        raise Skip("a stored state is given, which nobody outside can")
    if given["aggregation"] not in ("SUM", "COUNT"):
        raise Skip("allowances of meters that neither count nor sum")
    run = Script(given, steps, folder)
    try:
        for step in steps:
            if step["do"] in ("latest_snapshot", "snapshot_count",
                              "usage_period_rule", "last_reset"):
                continue  # what is stored, not what is answered
            getattr(run, step["do"])(step)
    finally:
        run.close()


def grant_for(grant, begin):
    """A grant as met_grant_create takes it."""
    out = {"id": grant["id"], "amount": grant["amount"],
           "priority": grant.get("priority", 0),
           "effective_at": at(grant["effective_at"])}
    if grant.get("expiration"):
        out["expiration"] = {"duration": grant["expiration"]["unit"].lower(),
                             "count": grant["expiration"]["count"]}
    rollover = grant.get("rollover") or {"min": 0, "max": 0}
    out["max_rollover_amount"] = rollover["max"]
    out["min_rollover_amount"] = rollover["min"]
    if grant.get("recurrence"):
        out["recurrence"] = {"interval": grant["recurrence"]["interval"],
                             "anchor": at(grant["recurrence"]["anchor"])}
    for name in ("created_at", "voided_at"):
        if grant.get(name):
            out[name] = at(grant[name])
    return out


@kind("engine_runs")
def engine(item, folder):
    """What-if, from the beginning: who begins with anything else than fresh
    grants is of stored states."""
    given = item["input"]
    start, grants = given["start"], given["grants"]
    if not isinstance(grants, list) or not isinstance(start["balances"], dict):
        raise Skip("grants are to be generated")
    if "error" in item["expect"]:
        raise Skip("a stored state is given, which nobody outside can")
    begin = at(start["at"])
    fresh = {grant["id"]: grant["amount"] for grant in grants
             if at(grant["effective_at"]) == begin}
    others = [grant for grant in grants if at(grant["effective_at"]) < begin]
    if others or any(start.get(name) for name in (
            "overage", "period_usage", "period_grant_usage")) \
            or any(start["balances"].get(name) != amount
                   for name, amount in fresh.items()) \
            or at(given["until"]) <= begin:
        raise Skip("a stored state is given, which nobody outside can")
    if given["aggregation"] != "SUM":
        raise Skip("allowances of meters that neither count nor sum")
    if any(moment.second or moment.microsecond for moment in (
            at(given["until"]), *(at(event["at"]) for event in
                                  given["usage_events"] or ()))):
        raise Skip("usage is known by the minute")
    period = {"interval": "P100Y", "anchor": begin}
    found = metering.simulate_entitlement({
        "entitlement": {"usage_period": period, "measure_usage_from": begin,
                        "preserve_overage_at_reset": bool(
                            given.get("preserve_overage_at_reset"))},
        "grants": [grant_for(grant, begin) for grant in grants],
        "resets": [{"at": at(reset if isinstance(reset, str)
                             else reset["at"]), "retain_anchor": True}
                   for reset in given["resets"] or ()],
        "usage": [{"at": at(event["at"]), "value": event["value"]}
                  for event in sorted(given["usage_events"] or (),
                                      key=lambda event: event["at"])],
        "at": at(given["until"])})
    value = found["values"][-1]
    left = {grant["id"]: grant["balance"] for grant in value["grants"]}
    wanted = item["expect"]
    for name, amount in wanted.get("balances", {}).items():
        expect(amount, left.get(name, 0), name)
    if "overage" in wanted:
        expect(wanted["overage"], value["overage"], "overage")
    if "period_usage" in wanted:
        expect(wanted["period_usage"], value["usage"], "usage")
