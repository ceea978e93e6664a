"""Golden cases through the Python package: rating, limiter, entitlements.

    golden.py [--differences FILE] FILE.json ...

Kinds that are about functions which are not public are left to the runner in
C (tests/golden), and counted as "not here". The last line is "N passed, M
failed, K skipped, L not here"; the status is 0 only when nothing failed.
"""
import json
import pathlib
import re
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal

SECOND = 1_000_000_000
KINDS = {}


class Skip(Exception):
    """Says why a case is not ours."""


def kind(*names):
    def add(function):
        KINDS.update(dict.fromkeys(names, function))
        return function
    return add


def number(value):
    try:
        return Decimal(value)
    except ArithmeticError:
        return None


def same(expected, got):
    """Everything that a case expects is there; numbers and times by value,
    null is what is not there."""
    if expected is None:
        return got is None
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            same(value, got.get(name)) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(got, list) and len(expected) == len(got) and all(
            map(same, expected, got))
    if isinstance(got, datetime):
        return datetime.fromisoformat(expected.replace("Z", "+00:00")) == got
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(got, (int, Decimal)) or isinstance(expected, (int, Decimal)):
        return got is not None and number(expected) is not None \
            and number(expected) == number(got)
    return expected == got


def expect(expected, got, what=""):
    if not same(expected, got):
        raise AssertionError(f"{what} expected {expected}, got {got}")


def reasons(path):
    """{id or rule: reason} of differences.md."""
    found = {}
    for line in pathlib.Path(path).read_text().splitlines():
        row = re.match(r"\| ?`?([^`| ]+)`? \| (.*?) *\|$", line)
        if row and row[1] not in ("id", "---"):
            found[row[1]] = row[2]
    return found


def cases_of(path):
    """(kind, case) of a file."""
    whole = json.loads(pathlib.Path(path).read_text(), parse_float=Decimal)
    for section, items in whole.items():
        if isinstance(items, list) and items and all(
                isinstance(item, dict) and "id" in item for item in items):
            for item in items:
                yield (item["kind"] if section == "cases" else section), item


def run(paths, differences, folder, say=print):
    """Counter of passed, failed, skipped, not here."""
    listed = reasons(differences) if differences else {}
    done = Counter()
    why = Counter()
    for path in paths:
        for name, item in cases_of(path):
            if name not in KINDS:
                done["not here"] += 1
                continue
            try:
                rule = KINDS[name](item, folder)
                problem = None
            except Skip as reason:
                done["skipped"] += 1
                why[f"{name}: {reason}"] += 1
                continue
            except Exception as error:
                rule = getattr(error, "rule", None)
                problem = f"{type(error).__name__}: {error}"
            is_listed = item["id"] in listed
            if problem is None and is_listed:
                done["failed"] += 1
                say(f"FAIL {name} {item['id']}\n    is listed as a difference,"
                    " but is none")
            elif problem is None:
                done["passed"] += 1
            elif listed.get(item["id"]) or listed.get(rule or ""):
                done["skipped"] += 1
                why[f"{name}: differs on purpose (differences.md)"] += 1
            else:
                done["failed"] += 1
                say(f"FAIL {name} {item['id']}\n    {problem}")
    for reason, count in sorted(why.items()):
        say(f"skipped {count:4} {reason}")
    say("{} passed, {} failed, {} skipped, {} not here".format(
        *(done[name] for name in ("passed", "failed", "skipped",
                                  "not here"))))
    return done


def main():
    import tempfile
    words = sys.argv[1:]
    differences = None
    if words[:1] == ["--differences"]:
        differences, words = words[1], words[2:]
    if not words:
        raise SystemExit(__doc__)
    import golden_entitlement  # noqa: F401
    import golden_limiter  # noqa: F401
    import golden_rating  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        done = run(words, differences, pathlib.Path(folder))
    return done["failed"] > 0


if __name__ == "__main__":
    sys.modules["golden"] = sys.modules["__main__"]
    sys.exit(main())
