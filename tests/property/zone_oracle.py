#!/usr/bin/env python3
"""Compares base's zones with Python's zoneinfo: every zone of the system, at
and around every change of its offset from 1970 to 2100, at seeded random
instants, from wall clock to instant, and when days are added.

    zone_oracle.py DRIVER [--count N] [--plant]

N is the number of random questions a zone. The last line is
"N passed, N failed".
"""
import argparse
import datetime
import pathlib
import random
import subprocess
import sys
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
DIRECTORY = pathlib.Path("/usr/share/zoneinfo")
END = int(datetime.datetime(2100, 1, 1, tzinfo=UTC).timestamp())
STEP = 86400 * 7
SECOND = datetime.timedelta(seconds=1)


def names():
    for path in sorted(DIRECTORY.rglob("*")):
        name = str(path.relative_to(DIRECTORY))
        if path.is_dir() or name.split("/")[0] in ("posix", "right"):
            continue
        if path.read_bytes()[:4] == b"TZif" and name != "localtime" \
                and "." not in name:
            yield name


def offset(zone, second):
    return datetime.datetime.fromtimestamp(second, zone).utcoffset() // SECOND


def changes(zone):
    """Seconds at which the offset changes, by bisection between weeks."""
    last, before = 0, offset(zone, 0)
    for second in range(STEP, END, STEP):
        now = offset(zone, second)
        if now != before:
            low, high = last, second
            while high - low > 1:
                middle = (low + high) // 2
                if offset(zone, middle) == before:
                    low = middle
                else:
                    high = middle
            yield high
            before = offset(zone, second)
        last = second


def instant(zone, wall):
    """fold 0: the earlier of two, and in a gap the offset before it."""
    at = wall.replace(tzinfo=zone)
    return int((at.astimezone(UTC) - EPOCH).total_seconds())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    rng = random.Random(5)
    questions, expected = [], []

    def ask(question, answer):
        if options.plant and len(questions) % 1000 == 7:
            answer += 1
        questions.append(question)
        expected.append(f"= {answer}")

    chosen = list(names())
    if options.plant:
        chosen = chosen[:20]
    changes_of = {}  # by content: many names are one zone
    for name in chosen:
        zone = zoneinfo.ZoneInfo(name)
        content = (DIRECTORY / name).read_bytes()
        if content not in changes_of:
            changes_of[content] = list(changes(zone))
        seconds = [rng.randrange(END) for _ in range(options.count)]
        for change in changes_of[content]:
            seconds += [change - 1, change, change + 1]
        for second in seconds:
            ask(f"offset {name} {second}", offset(zone, second))
        for second in rng.sample(seconds, min(len(seconds), options.count)):
            wall = (EPOCH + datetime.timedelta(
                seconds=second + offset(zone, second)
                + rng.choice([0, 0, 1800, -1800, 3599]))).replace(tzinfo=None)
            if wall.year < 1970 or instant(zone, wall) < 0:
                continue
            ask(f"local {name} {wall.isoformat()}Z", instant(zone, wall))
            days = rng.randint(1, 40)
            at = instant(zone, wall)
            moved = (datetime.datetime.fromtimestamp(at, zone).replace(
                tzinfo=None) + datetime.timedelta(days=days))
            ask(f"add {name} {at * 10 ** 9} P{days}DT2H 1",
                (instant(zone, moved) + 7200) * 10 ** 9)
    out = subprocess.run([options.driver], input="\n".join(questions) + "\n",
                         capture_output=True, text=True, check=True).stdout
    got = out.splitlines()
    failed = 0
    for index, question in enumerate(questions):
        answer = got[index] if index < len(got) else "(nothing)"
        if answer != expected[index]:
            failed += 1
            if failed <= 20:
                print(f"{question}\n  expected {expected[index]}, got {answer}")
    print(f"{len(chosen)} zones")
    print(f"{len(questions) - failed} passed, {failed} failed")
    return 1 if failed or len(chosen) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
