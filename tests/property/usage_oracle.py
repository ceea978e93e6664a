#!/usr/bin/env python3
"""Compares usage queries with a model written from the rules: random events of
a few subjects and dimensions, in two orders, recorded by three recorders or
ingested in batches, with settlements between; random queries of every
aggregation, window, zone, filter and group, some of which must be refused.
Half of the stores are compacted: bounds inside what is folded may be refused,
all else stays the same.

    usage_oracle.py DRIVER [--count N] [--seed N] [--plant]

N counts queries. A range that is split must come to the same as the whole. The
last line is "N passed, N failed".
"""
import argparse
import bisect
import datetime
import json
import random
import re
import subprocess
import sys

from usage_model import (UTC, EPOCH, UNIT, minute_of, time_text, window_of,
                         plain, total, holds)

AGGREGATIONS = ["count", "sum", "avg", "min", "max", "latest", "unique_count"]
ZONES = ["Europe/Budapest", "America/New_York", "Asia/Kathmandu",
         "Pacific/Apia", "America/St_Johns", "UTC"]
# Days around which clocks change somewhere.
STARTS = ["2025-03-28T12:00Z", "2025-11-01T00:00Z", "2011-12-29T00:00Z",
          "2008-11-01T00:00Z", "2024-02-28T00:00Z", "2025-12-31T00:00Z"]
X_VALUES = [None, "1", "2", "10", "9.5", "gpt-4", "GPT-4o", "null", "-3"]
Y_VALUES = [None, "a", "b", "null", "7"]
SUBJECTS = ["ann", "bob", "cy", "dee"]
CUSTOMERS = {"acme": ["acme", "ann", "bob"], "cy": ["cy"]}
QUERIES = 500  # of one world


# --- Questions ----------------------------------------------------------------
def random_condition(rng, values, depth):
    texts = [value for value in values if value] + ["zz", "4"]
    name = rng.choice(["eq", "ne", "neq", "in", "nin", "exists", "contains",
                       "ncontains", "gt", "gte", "lt", "lte"]
                      + (["and", "or"] * 3 if depth > 0 else []))
    if name in ("and", "or"):
        return {name: [random_condition(rng, values, depth - 1)
                       for _ in range(rng.randint(1, 3))]}
    if name in ("in", "nin"):
        return {name: rng.sample(texts, rng.randint(1, 3))}
    if name == "exists":
        return {name: rng.random() < 0.5}
    if name in ("contains", "ncontains"):
        return {name: rng.choice(["GPT", "4", "t-4", "9", "n", "NULL"])}
    if name in ("gt", "gte", "lt", "lte") and rng.random() < 0.5:
        return {name: rng.choice([2, 9, 9.5, -3, 10, 0])}
    return {name: rng.choice(texts)}


# --- Events as JSON -----------------------------------------------------------
def member(rng, value):
    """A text, or the other JSON that is the same text to a dimension."""
    if value == "null" and rng.random() < 0.5:
        return None
    if value in ("1", "2", "10", "-3", "7") and rng.random() < 0.3:
        return int(value)
    if value is None:
        return rng.choice([[], {"a": 1}])
    return value


def cloud_event(rng, name, number, event):
    data = {"n": {"z": 1}}
    if event["x"] is not None or rng.random() < 0.5:
        data["x"] = member(rng, event["x"])
    if event["y"] is not None or rng.random() < 0.5:
        data["n"]["y"] = member(rng, event["y"])
    if event["v"] is not None:
        data["v"] = plain(event["v"], 9)
    elif rng.random() < 0.5:
        data["v"] = rng.choice([None, True, "many", "NaN", [1]])
    seconds, ns = divmod(event["ns"], UNIT)
    time = (EPOCH + datetime.timedelta(seconds=seconds)).strftime(
        "%Y-%m-%dT%H:%M:%S")
    return {"specversion": "1.0", "id": f"{name}-{number}", "source": "o",
            "type": name, "subject": event["subject"],
            "time": f"{time}.{ns:09}Z", "data": data}


# --- Worlds -------------------------------------------------------------------
class World:
    """Events of one type, its meters, and the order they came in."""

    def __init__(self, rng, number, events, start):
        self.name = f"w{number}"
        self.events = events
        self.start = start
        self.by_minute = sorted(range(len(events)),
                                key=lambda i: events[i]["ns"])
        self.minutes = [events[i]["ns"] // (60 * UNIT)
                        for i in self.by_minute]
        self.events_from = {}
        for aggregation in AGGREGATIONS:
            if rng.random() < 0.15:
                self.events_from[aggregation] = start + rng.randrange(3000)

    def commands(self, rng):
        for aggregation in AGGREGATIONS:
            meter = {"key": f"{self.name}_{aggregation}", "name": "n",
                     "event_type": self.name, "aggregation": aggregation,
                     "dimensions": {"x": "$.x", "y": "$.n.y"}}
            if aggregation == "unique_count":
                meter["value_property"] = "$.n['y']"
                del meter["dimensions"]["y"]
            elif aggregation != "count":
                meter["value_property"] = "$.v"
            if aggregation in self.events_from:
                meter["events_from"] = time_text(self.events_from[aggregation])
            yield "meter " + json.dumps(meter)
        at = 0
        while at < len(self.events):
            part = self.events[at:at + rng.randint(1, 12)]
            if rng.random() < 0.3:
                yield "ingest " + json.dumps(
                    [cloud_event(rng, self.name, at + i, event)
                     for i, event in enumerate(part)])
            else:
                yield from self.record(rng, part)
            at += len(part)
        yield "settle"

    def record(self, rng, events):
        for event in events:
            attributes = {}
            if event["x"] is not None:
                attributes["x"] = event["x"]
            if event["y"] is not None:
                attributes["n.y"] = event["y"]
            quantities = {}
            if event["v"] is not None:
                quantities["v"] = plain(event["v"], 9)
            yield f"event {rng.randrange(3)} " + json.dumps(
                {"type": self.name, "subject": event["subject"],
                 "ns": event["ns"], "attributes": attributes,
                 "quantities": quantities})
            if rng.random() < 0.1:
                yield rng.choice(["settle", "tick 0", "tick 1", "tick 2"])

    def answer(self, aggregation, query, low, high):
        """Rows as the library writes them. low and high are minutes or None;
        minutes that only say "inside" are refused before."""
        first = bisect.bisect_left(self.minutes, max(
            low or 0, self.events_from.get(aggregation, 0)))
        last = len(self.minutes) if high is None else bisect.bisect_left(
            self.minutes, high)
        kept = {name: {value for value in values
                       if holds(query["filters"][name], value or "")}
                for name, values in (("x", X_VALUES), ("y", Y_VALUES))
                if name in query.get("filters", {})}
        customers = query.get("customers")
        subjects = set(query.get("subjects", SUBJECTS))
        owner = {subject: key for key in customers or []
                 for subject in CUSTOMERS[key]}
        groups = query["group_by"]
        window = query.get("window")
        zone = query.get("time_zone", "UTC")
        rows = {}
        chosen = sorted(self.by_minute[first:last])
        for index in chosen:
            event = self.events[index]
            if event["subject"] not in subjects or (
                    customers and event["subject"] not in owner) \
                    or any(event[name] not in kept[name] for name in kept):
                continue
            if aggregation == "unique_count":
                if event["y"] == "null":
                    continue
            elif aggregation != "count" and event["v"] is None:
                continue
            minute = event["ns"] // (60 * UNIT)
            bounds = (window_of(window, zone, minute) if window
                      else (0, 0))
            key = tuple(owner[event["subject"]] if name == "customer_id"
                        else event[name] or "" for name in groups)
            rows.setdefault((bounds, key), []).append(event)
        if not rows and not window and not groups and low is not None \
                and high is not None and aggregation in ("count",
                                                         "unique_count"):
            rows[(0, 0), ()] = []
        shown = low
        begin = self.events_from.get(aggregation, 0)
        if low is not None and begin > low and (high is None or begin < high):
            shown = begin
        if not window and (low is None or high is None) and rows:
            used = [event["ns"] // (60 * UNIT) for events in rows.values()
                    for event in events]
            shown = min(used) if low is None else shown
            high = max(used) + 1 if high is None else high
        return [(bounds if window else (shown, high), key,
                 total(aggregation, rows[bounds, key]))
                for bounds, key in sorted(rows)]


def write(rows, groups):
    lines = []
    for (low, high), key, value in rows:
        line = (f'{{"from":"{time_text(low)}","to":"{time_text(high)}",'
                f'"value":"{value}",')
        dimensions = []
        for name, text in zip(groups, key):
            if name == "subject":
                line += f'"subject":"{text}",'
            elif name == "customer_id":
                line += f'"customer":"{text}",'
            else:
                dimensions.append(f'"{name}":"{text}"')
        lines.append(line + f'"dimensions":{{{",".join(dimensions)}}}}}')
    return "[" + ",".join(lines) + "]"


def random_events(rng, start):
    events = []
    for _ in range(rng.randint(0, 60)):
        second = rng.choice([rng.randrange(60), rng.randrange(3 * 86400),
                             rng.randrange(3 * 86400),
                             rng.randrange(40 * 86400)])
        value = rng.choice([None, rng.randrange(-5, 20) * UNIT,
                            rng.randrange(10 ** 12),
                            rng.randrange(-10 ** 24 + 1, 10 ** 24)])
        events.append({"subject": rng.choice(SUBJECTS),
                       "x": rng.choice(X_VALUES), "y": rng.choice(Y_VALUES),
                       "v": value,
                       "ns": (start * 60 + second) * UNIT
                       + rng.choice([0, 0, 1, UNIT - 1])})
    return events


# --- Queries ------------------------------------------------------------------
def random_query(rng, world):
    """(aggregation, document without meter, low, high, error or None)"""
    aggregation = rng.choice(AGGREGATIONS)
    names = ["x"] if aggregation == "unique_count" else ["x", "y"]
    query, error = {}, None
    low = high = None
    width = rng.choice([10, 300, 2000, 6000, 60000])
    if rng.random() < 0.8:
        low = world.start - 60 + rng.randrange(3 * 1440)
        query["from"] = time_text(low)
    if rng.random() < 0.8:
        high = (low or world.start) + 1 + rng.randrange(width)
        query["to"] = time_text(high)
    if rng.random() < 0.6:
        query["window"] = rng.choice(["minute", "hour", "day", "month"])
    if rng.random() < 0.5:
        query["time_zone"] = rng.choice(ZONES)
    if rng.random() < 0.5:
        query["filters"] = {
            name: random_condition(
                rng, X_VALUES if name == "x" else Y_VALUES, 2)
            for name in rng.sample(names, rng.randint(1, len(names)))}
    groups = rng.sample(names + ["subject"], rng.choice([0, 0, 1, 2, 2]))
    if rng.random() < 0.2:
        query["customers"] = rng.sample(list(CUSTOMERS), rng.randint(1, 2))
        if rng.random() < 0.3:
            groups.append("customer_id")
    if rng.random() < 0.2:
        query["subjects"] = rng.sample(SUBJECTS + ["eve"], rng.randint(1, 3))
    sent = list(groups)
    if "subjects" in query and "subject" not in groups:
        groups.append("subject")
    if "customers" in query and "customer_id" not in groups:
        groups.append("customer_id")
    if rng.random() < 0.04:
        kind = rng.randrange(5)
        if kind == 0 and low is not None:
            query["from"] = query["from"].replace(":00Z", ":30Z")
            error = "! MET_E_INVALID from"
        elif kind == 1 and low is not None:
            query["to"] = query["from"]
            error = "! MET_E_INVALID to"
        elif kind == 2:
            sent.append("planet")
            error = "! MET_E_INVALID group_by"
        elif kind == 3 and aggregation == "unique_count":
            query.setdefault("filters", {})["y"] = {"eq": "a"}
            error = "! MET_E_INVALID filters"
        elif "customers" not in query:
            sent = ["customer_id"]
            error = "! MET_E_INVALID group_by"
    query["group_by"] = sent
    return aggregation, query, groups, low, high, error


CUSTOMER_ID = re.compile(r'"customer_id":"[0-9A-Z]{26}",')


# --- Compaction ---------------------------------------------------------------
class Folds:
    """Up to where hours and days are folded, in minutes."""

    def __init__(self, as_of):
        hours = as_of - 1440
        self.hours = hours - hours % 60
        days = min(as_of - 5 * 1440, self.hours)
        self.days = days - days % 1440

    def cut(self, minute):
        return (minute < self.hours and minute % 60 != 0
                or minute < self.days and minute % 1440 != 0)

    def may_refuse(self, query, low, high, first):
        """Some bound that is asked for parts what is folded; nothing is
        before first."""
        if any(bound is not None and self.cut(bound)
               for bound in (low, high)):
            return True
        window = query.get("window")
        if window in ("minute", "hour"):
            return (first < self.hours if window == "minute"
                    else first < self.days)
        if window is None or query.get("time_zone", "UTC") == "UTC":
            return False
        minute = max(first, low or 0)
        while minute < min(self.hours, high or self.hours):
            start, minute = window_of(window, query["time_zone"], minute)
            if self.cut(start) or self.cut(minute):
                return True
        return False


REFUSED = re.compile(r"! MET_E_UNSUPPORTED (from|to|window)$")


class Asker:
    def __init__(self, plant):
        self.lines, self.checks, self.plant = [], [], plant
        self.folds = None
        self.with_rows = 0

    def command(self, line):
        self.lines.append(line)
        self.checks.append(None)

    def query(self, rng, world, aggregation, query, groups, low, high, error):
        document = dict(query, meter=f"{world.name}_{aggregation}")
        if error is not None:
            expected = error
        else:
            model = dict(query, group_by=groups)
            rows = world.answer(aggregation, model, low, high)
            self.with_rows += rows != []
            if self.plant and self.with_rows % 100 == 50 and rows:
                rows[0] = rows[0][:2] + (rows[0][2] + "1",)
            expected = write(rows, groups)
        kind = rng.choice(["query", "rows"])
        self.lines.append(f"{kind} {json.dumps(document)}")
        self.checks.append((kind, expected, error is not None,
                            self.folds is not None
                            and self.folds.may_refuse(query, low, high,
                                                      world.start)))
        return len(self.lines) - 1


def data_of(kind, line):
    """The rows of an answer, without ids that only the store knows."""
    if not line.startswith("= "):
        return line
    text = CUSTOMER_ID.sub("", line[2:])
    return text if kind == "rows" else text[text.index('"data":') + 7:-1]


def joined(aggregation, one, two):
    """Rows of two neighbouring ranges as one, by group."""
    rows = {}
    for row in one + two:
        key = json.dumps([row.get("subject"), row.get("customer"),
                          row["dimensions"]])
        value = round(float(row["value"]) * 1) if aggregation == "count" \
            else parse(row["value"])
        if key not in rows:
            rows[key] = value
        elif aggregation in ("count", "sum"):
            rows[key] += value
        elif aggregation == "latest":
            rows[key] = value
        else:
            rows[key] = (min if aggregation == "min" else max)(rows[key],
                                                               value)
    return rows


def parse(text):
    whole, _, part = text.partition(".")
    units = int(whole.replace("-", "") + part.ljust(9, "0"))
    return -units if text.startswith("-") else units


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    asker, splits, asked, number = Asker(options.plant), [], 0, 0
    while asked < options.count:
        start = minute_of(rng.choice(STARTS))
        asker.command(f"store {(start + 20 * 1440) * 60 * UNIT}")
        for key, subjects in CUSTOMERS.items():
            asker.command("customer " + json.dumps(
                {"key": key, "name": "n",
                 "usage_attribution": {"subject_keys": subjects[1:]}}))
        events = random_events(rng, start)
        shuffled = rng.sample(events, len(events))
        worlds = [World(rng, number, events, start),
                  World(rng, number + 1, shuffled, start)]
        worlds[1].events_from = worlds[0].events_from
        number += 2
        for world in worlds:
            for line in world.commands(rng):
                asker.command(line)
        asker.folds = None
        if rng.random() < 0.5:
            as_of = start + rng.randrange(1440, 46 * 1440)
            asker.folds = Folds(as_of)
            for line in ("tick 0", "tick 1", "tick 2", "settle"):
                asker.command(line)
            asker.command(f"compact {as_of * 60 * UNIT}")
        for _ in range(min(QUERIES, options.count - asked)):
            chosen = random_query(rng, worlds[0])
            asker.query(rng, worlds[rng.randrange(2)], *chosen)
            asked += 1
            aggregation, query, groups, low, high, error = chosen
            if error or "window" in query or None in (low, high) \
                    or high - low < 2 or aggregation in ("avg",
                                                         "unique_count") \
                    or rng.random() < 0.5:
                continue
            middle = rng.randrange(low + 1, high)
            parts = [asker.query(rng, worlds[0], aggregation,
                                 dict(query, to=time_text(middle)), groups,
                                 low, middle, None),
                     asker.query(rng, worlds[0], aggregation,
                                 dict(query, **{"from": time_text(middle)}),
                                 groups, middle, high, None),
                     asker.query(rng, worlds[0], aggregation, query, groups,
                                 low, high, None)]
            asked += 3
            splits.append((aggregation, parts))
    out = subprocess.run([options.driver], input="\n".join(asker.lines) + "\n",
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    got = out.splitlines()
    passed = failed = refused = 0
    answers = {}
    for index, check in enumerate(asker.checks):
        line = got[index] if index < len(got) else "(nothing)"
        if check is None:
            # An event without a number that only numbers are asked of.
            if line.strip() != "=":
                failed += 1
                print(f"{asker.lines[index]}\n  got {line}")
            continue
        kind, expected, is_error, may_refuse = check
        answers[index] = line if is_error else data_of(kind, line)
        if may_refuse and REFUSED.match(line):
            refused += 1
            answers[index] = None
            continue
        if answers[index] == expected:
            passed += 1
            continue
        failed += 1
        if failed <= 10:
            print(f"{asker.lines[index]}\n  expected {expected}\n"
                  f"  got      {answers[index]}")
    for aggregation, parts in splits:
        if None in (answers[part] for part in parts):
            continue
        one, two, whole = (json.loads(answers[part]) for part in parts)
        if joined(aggregation, one, two) != joined(aggregation, whole, []):
            # 0 for a range without usage is a row, two halves may differ.
            failed += 1
            print(f"split: {asker.lines[parts[2]]}")
    print(f"{number} orders of events, {len(splits)} split ranges, {refused} "
          "bounds inside what is folded")
    if refused * 3 > passed:
        failed += 1
        print("too many are refused")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
