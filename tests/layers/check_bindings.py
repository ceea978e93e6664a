#!/usr/bin/env python3
"""Every public call, every field of a public struct and every choice of a
public enum is in every binding, or a row here says why not.

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
    "met_decimal_add": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_subtract": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_multiply": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_divide": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_round": (("python",), "numbers are decimal.Decimal"),
    "met_decimal_compare": (("python",), "numbers are decimal.Decimal"),
    "met_event_ingest": (("python",), "events are documents: "
                                      "met_event_ingest_json"),
}
# struct.field, likewise. A "*" is every field.
FIELDS_ABSENT = {
    "met_limiter_config.memory": (BOTH, "a path in /dev/shm is shared, too"),
    "met_limiter_config.memory_size": (BOTH, "likewise"),
    "met_platform.*": (BOTH, "clocks have Clock; memory and entropy are the "
                             "library's"),
    "met_ingest_event.*": (("python",), "events are documents"),
    "met_event_verdict.*": (("python",), "likewise"),
    "met_limiter_request.own_windows": (("go",), "filled in by place"),
    "met_limiter_request.own_window_count": (("go",), "likewise"),
    "met_limiter_batch.key_offsets": (("go",), "likewise"),
    "met_buffer.owner": (("python",), "met_buffer_release knows it"),
}
# Likewise of enums; a name that ends with "_" is all that begin like it.
CHOICES_ABSENT = {
    "MET_ERROR_LAST_": (BOTH, "no error"),
    "MET_GATEWAY_FAIL_CLOSED": (("go",), "FailOpen is false"),
    "MET_LIMITER_FULL_OPEN": (("go",), "RefuseWhenFull is false"),
    "MET_LIMITER_CLOCK_EXACT": (("go",), "CheapClock is false"),
    "MET_LIMITER_HEADERS_KONG": (("go",), "0 is that"),
    "MET_LIMITER_FORM_ADDRESS_BYTES": (BOTH, "addresses are texts"),
    "MET_BILLING_": (("go",), "Billed.IsDone is asked"),
    "MET_ROUND_": (("python",), "documents name them; decimal.Decimal rounds"),
    "MET_VERDICT_": (("python",), "verdicts are texts"),
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


def headers(root):
    """All of them, without comments."""
    text = "".join(path.read_text() for path in
                   sorted((root / "include/metering").glob("*.h")))
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def words(folder, *patterns):
    """Those of what a binding is made of, tests left out."""
    return {word for pattern in patterns for path in folder.glob(pattern)
            if not path.name.endswith("_test.go")
            for word in re.findall(r"\w+", path.read_text())}


def fields(text):
    """struct.field of every public struct."""
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\n\} \w+;",
                                 text, flags=re.S):
        for field in re.findall(r"\b(\w+)(?:\[[^\]]*\])?;", body):
            if not field.startswith(("reserved", "private_", "struct_size")):
                yield name, field


def missing_fields(root):
    """Fields that a binding never names, and rows for others.
    A struct may be filled in by order: then its _size and _count come with
    what they are of."""
    used = {"go": words(root / "bindings/go", "*.go", "*.h"),
            "python": words(root / "bindings/python", "native/*.[ch]",
                            "src/metering/*.py")}
    for binding, names in used.items():
        for struct, field in fields(headers(root)):
            base = re.sub(r"_(size|count)$", "", field)
            is_used = not names.isdisjoint(
                {field, base, f"_{field}", f"_{base}"})
            row = FIELDS_ABSENT.get(f"{struct}.{field}")
            whole = FIELDS_ABSENT.get(f"{struct}.*", ((),))
            if not is_used and binding not in (row or whole)[0]:
                yield (f"{struct}.{field} is not in bindings/{binding}: add "
                       f"it there, or say why not in {__file__}")


def missing_choices(root):
    """Choices that a binding never names. What Python calls them ends like
    them."""
    in_go = words(root / "bindings/go", "*.go", "*.h")
    in_python = {word.upper() for word in words(
        root / "bindings/python", "native/*.[ch]", "src/metering/*.py")}
    names = [name for block in re.findall(r"\nenum \{(.*?)\n?\};",
                                          headers(root), flags=re.S)
             for name in re.findall(r"\b(MET_\w+) =", block)]
    for name in names:
        parts = name.split("_")[2:]
        ends = {"_".join(parts[i:]) for i in range(len(parts))}
        absent = next((row[0] for begin, row in CHOICES_ABSENT.items()
                       if name == begin or begin.endswith("_")
                       and name.startswith(begin)), ())
        for binding, is_used in (
                ("go", name in in_go),
                ("python", not in_python.isdisjoint(ends))):
            if not is_used and binding not in absent:
                yield (f"{name} is not in bindings/{binding}: add it there, "
                       f"or say why not in {__file__}")


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
    problems += [*missing_fields(root), *missing_choices(root)]
    print(*problems, sep="\n")
    print(f"bindings: {len(public)} calls, {len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
