#!/usr/bin/env python3
"""Lives of stored entitlements against the model of grant_model.py: grants,
voids, resets by hand, usage that comes late, settlement now and then, balances
of now and of earlier.

    granted_oracle.py DRIVER [--count N] [--seed N] [--plant]

A question is one entitlement's life. The model knows nothing of stores,
settlement, or states that are kept. --plant spoils one answer in ten. The last
line is "N passed, N failed".
"""
import argparse
import datetime
import json
import random
import subprocess
import sys

from grant_model import Model, points, text_of
from grant_questions import amount

UTC = datetime.timezone.utc
SECOND = 10 ** 9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UNITS = ["hour", "day", "week", "month", "year"]
INTERVALS = ["P1D", "P1W", "P1M", "PT36H", "P5D"]


def rfc(ns):
    moment = datetime.datetime.fromtimestamp(ns // SECOND, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(ns):
    return ns - ns % MINUTE


class Life:
    """One entitlement: the commands that make it, and what the model says."""

    def __init__(self, rng, begin):
        self.rng = rng
        self.begin = self.now = begin
        self.commands = []
        self.expected = []
        self.interval = rng.choice(INTERVALS)
        self.keeps = rng.random() < 0.4
        self.issue = rng.choice(["0", amount(rng), "100"])
        self.priority = rng.randrange(4)
        self.grants = []
        self.usage = []
        self.entries = [(begin, begin)]  # from, anchor
        self.kept = {}
        members = {"type": "metered", "usage_period": {
            "interval": self.interval, "anchor": rfc(begin)},
                   "issue_after_reset": self.issue,
                   "preserve_overage_at_reset": self.keeps,
                   "is_soft_limit": rng.random() < 0.5}
        if self.issue != "0":
            members["issue_after_reset_priority"] = self.priority
            self.grants.append({
                "id": "own", "amount": self.issue, "priority": self.priority,
                "created": begin, "effective": begin, "min": self.issue,
                "max": self.issue})
        self.say("begin", json.dumps(members)[1:-1])

    def say(self, verb, rest, answer="="):
        self.commands.append(f"{verb} {self.now} {rest}")
        self.expected.append(answer)

    # --- What happens ---
    def grant(self):
        rng = self.rng
        effective = self.now + rng.choice([
            0, 0, 0, HOUR, 7 * HOUR + 30 * SECOND, 3 * DAY, 20 * DAY])
        made = {"id": f"g{len(self.grants)}", "amount": amount(rng),
                "priority": rng.randrange(4), "created": self.now,
                "effective": minute(effective), "min": "0"}
        asked = {"amount": made["amount"], "priority": made["priority"],
                 "effective_at": rfc(effective)}
        made["max"] = made["amount"]
        if rng.random() < 0.5:
            made["max"] = asked["max_rollover_amount"] = amount(rng, 0)
            made["min"] = asked["min_rollover_amount"] = amount(rng, 0)
        if rng.random() < 0.5:
            made["unit"] = rng.randrange(4)
            made["count"] = rng.choice([1, 2, 3, 30])
            asked["expiration"] = {"duration": UNITS[made["unit"]],
                                   "count": made["count"]}
        if rng.random() < 0.3:
            made["every"] = rng.choice(["P1D", "PT7H30M", "P1W", "P1M"])
            made["anchor"] = minute(effective) + rng.choice([0, 0, -3 * DAY,
                                                             5 * HOUR])
            asked["recurrence"] = {"interval": made["every"],
                                   "anchor": rfc(made["anchor"])}
        self.grants.append(made)
        self.say("grant", json.dumps(asked)[1:-1])

    def void(self):
        own = self.issue != "0"
        left = [i for i, g in enumerate(self.grants)
                if g["id"] != "own" and "voided" not in g]
        if left:
            index = self.rng.choice(left)
            self.grants[index]["voided"] = minute(self.now)
            self.say("void", index - own)

    def reset(self):
        if minute(self.now) <= minute(self.entries[-1][0]):
            return
        retains = self.rng.random() < 0.4
        keeps = self.rng.choice([None, True, False])
        asked = {"retain_anchor": retains}
        if keeps is not None:
            asked["preserve_overage"] = keeps
        at = minute(self.now)
        self.kept[at] = self.keeps if keeps is None else keeps
        self.entries.append((at, self.entries[-1][1] if retains else at))
        self.say("reset", json.dumps(asked))

    def use(self):
        late = self.rng.choice([0, 0, 0, 0, 5 * MINUTE, 9 * HOUR, 4 * DAY])
        at = max(self.begin, self.now - late)
        value = amount(self.rng, 0)
        self.usage.append((at, value))
        self.say("use", f"{at} {value}")

    # --- What the model says ---
    def resets(self, until):
        found = {}
        for i, (first, anchor) in enumerate(self.entries):
            last = (self.entries[i + 1][0] if i + 1 < len(self.entries)
                    else until + 1)
            for at in points(anchor, self.interval, first, last):
                if first < at < last:
                    found[at] = self.keeps
            if i > 0:
                found[first] = self.kept[first]
        return [[t, keeps] for t, keeps in sorted(found.items()) if t <= until]

    def ask(self):
        rng = self.rng
        self.say("settle", "")
        for at in [self.now] + [rng.randrange(self.begin, self.now + 1)
                                for _ in range(rng.choice([0, 1, 2]))]:
            until = minute(at) + MINUTE - 1
            model = Model({
                "start": {"at": self.begin}, "until": [until], "bounds": [],
                "grants": [dict(g) for g in self.grants],
                "resets": self.resets(until), "measure": 0,
                "usage": sorted(self.usage, key=lambda use: use[0])})
            model.run()
            self.say("value", 0 if at == self.now else at, "= " + " ".join(
                text_of(value) for value in model.value(until)))

    def live(self):
        rng = self.rng
        for _ in range(rng.choice([5, 15, 30])):
            self.now += rng.choice([SECOND, 40 * SECOND, 7 * MINUTE, HOUR,
                                    5 * HOUR, DAY, 3 * DAY, 9 * DAY])
            rng.choice([self.grant, self.grant, self.use, self.use, self.use,
                        self.use, self.void, self.reset, self.ask])()
        self.ask()
        return self


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    passed = failed = 0
    while passed + failed < options.count:
        begin = int(datetime.datetime(2010, 1, 29, tzinfo=UTC)
                    .timestamp()) * SECOND
        lives = []
        for _ in range(min(200, options.count - passed - failed)):
            lives.append(Life(rng, begin).live())
            begin = minute(lives[-1].now) + DAY
        got = iter(subprocess.run(
            [options.driver], capture_output=True, text=True, check=True,
            input="".join(f"{command}\n" for life in lives
                          for command in life.commands)).stdout.split("\n"))
        for index, life in enumerate(lives):
            answers = [next(got) for _ in life.commands]
            expected = list(life.expected)
            if options.plant and index % 10 == 7:
                expected[-1] += " planted"
            if answers == expected:
                passed += 1
                continue
            failed += 1
            if failed <= 3:
                for command, want, have in zip(life.commands, expected,
                                               answers):
                    print(command)
                    if want != have:
                        print(f"  expected {want}\n  got      {have}")
                        break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
