#!/usr/bin/env python3
"""Every public call is in every binding, or a row here says why not.

    check_bindings.py [ROOT]

Exits 1 and names every call that is missing, and every row that is out of
date; prints one summary line.
"""
import pathlib
import re
import sys

BOTH = ("go", "python")
# call -> (the bindings that do without it, why)
ABSENT = {
    "met_fault_handle": (BOTH, "handlers of signals are in C: "
                               "met_fault_guard_install"),
    "met_time_parse": (BOTH, "times are the language's own"),
    "met_time_format": (BOTH, "times are the language's own"),
    "met_usage_query": (BOTH, "rows come one by one: met_usage_query_open"),
    "met_limiter_headers": (BOTH, "met_limiter_headers_write has its lines, "
                                  "too"),
    "met_decimal_add": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_subtract": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_multiply": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_divide": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_round": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_compare": (("python",), "numbers are decimal.Decimal"),
    "met_event_ingest": (("python",), "events are documents: "
                                      "met_event_ingest_json"),
    "met_plan_get": (("python",), "met_plan_get_at with no time"),
    "met_subscription_get": (("python",), "met_subscription_get_at with no "
                                          "time"),
}


def calls(root):
    """The public calls: what libmetering.map exports."""
    text = (root / "libmetering/libmetering.map").read_text()
    return re.findall(r"\bmet_[a-z0-9_]+(?=;)", text)


def go(root):
    """What the Go package calls: as C.met_x, or in the C before import "C"."""
    used = set()
    for path in sorted((root / "bindings/go").glob("*.[gh]*")):
        if path.name.endswith("_test.go"):
            continue
        text = path.read_text()
        used |= set(re.findall(r"\bC\.(met_\w+)", text))
        if path.suffix == ".go":
            text = text.partition('import "C"')[0]
        used |= set(re.findall(r"\b(met_\w+)\(", text))
    return used


def python(root):
    """What the Python package calls: rows of calls.h that a method asks for by
    name, and what the extension has of its own."""
    folder = root / "bindings/python"
    methods = "".join(path.read_text() for path in sorted(
        (folder / "src/metering").glob("*.py")))
    rows = re.findall(r"\bX\((\w+), ", (folder / "native/calls.h").read_text())
    used = {f"met_{row}" for row in rows if f'"{row}"' in methods}
    for path in sorted((folder / "native").glob("*.c")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        used |= set(re.findall(r"\b(met_\w+)", text))
        used |= {f"met_limiter_{name}" for name in re.findall(
            r"^DECIDING\((\w+)\)", text, flags=re.M)}
    return used


def main():
    """Compares."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                        else pathlib.Path(__file__).parents[2])
    public = calls(root)
    problems = [f"{name} is no public call any more: remove its row in "
                f"{__file__}" for name in ABSENT if name not in public]
    for binding, used in (("go", go(root)), ("python", python(root))):
        for name in public:
            is_absent = binding in ABSENT.get(name, ((),))[0]
            if name not in used and not is_absent:
                problems.append(
                    f"{name} is not in bindings/{binding}: add it there, or "
                    f"say why not in {__file__}")
            if name in used and is_absent:
                problems.append(f"{name} is in bindings/{binding}, but its "
                                f"row in {__file__} says that it is not")
    print(*problems, sep="\n")
    print(f"bindings: {len(public)} calls, {len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
