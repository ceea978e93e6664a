#!/usr/bin/env python3
"""Writes a watched twin of every public call that can fail, and what tells the
linker of them.

    make_guard.py CALLS.c WRAPS.txt NOTHING.c

Test programs are linked so that their public calls go through it (guard.c says
what is watched). What it knows it reads from the headers. NOTHING.c makes each
call with NULL and 0 for everything.
"""
import pathlib
import sys

import headers

SCALARS = {"int64_t *", "uint32_t *", "size_t *", "int32_t *",
           "met_decimal *", "const char **"}
# Elements of an array, which is looked at by nobody here.
MANY = {"met_price_rate_batch"}
# What a failing call writes all the same, as its docstring says.
WRITES = {("met_store_check", "report_out")}


def outputs(function):
    for kind, name in function.arguments:
        if name.endswith("_out") and function.name not in MANY \
                and (function.name, name) not in WRITES \
                and (kind in SCALARS or kind == "met_buffer *"
                     or kind.endswith("**")):
            yield kind, name


def twin(number, function):
    def declare(kind, name):
        return f"{kind}{name}" if kind.endswith("*") else f"{kind} {name}"

    words = ", ".join(declare(*row) for row in function.arguments) or "void"
    names = ", ".join(name for _, name in function.arguments)
    info = next((name for kind, name in function.arguments
                 if kind == "met_error_info *"), "NULL")
    watched = list(outputs(function))
    lines = [f"met_error __real_{function.name}({words});",
             f"met_error __wrap_{function.name}({words});",
             f"met_error __wrap_{function.name}({words})", "{",
             f"    guard_call call = guard_before({number}, {info});"]
    lines += [f"    guard_keep(&call, {name}, sizeof *{name});"
              for _, name in watched]
    lines += [f"    return guard_after(&call, __real_{function.name}"
              f"({names}));", "}", ""]
    return "\n".join(lines)


def nothing(function):
    """The call with nothing in it."""
    words = ", ".join("NULL" if kind.endswith("*") else "0"
                      for kind, _ in function.arguments)
    return f'    check("{function.name}", {function.name}({words}));'


def main():
    codes = headers.codes()
    rows, twins, wrapped, nothings = [], [], [], []
    for function in headers.functions():
        if function.kind != "met_error":
            continue
        wrapped.append(function.name)
        bits = sum(1 << codes.index(code) for code in function.named())
        twins.append(twin(len(rows), function))
        nothings.append(nothing(function))
        instants = "".join(
            name.removesuffix("_ns") + " "
            for _, name in function.arguments if name.endswith("_ns"))
        rows.append(
            f'    {{"{function.name}", {bits:#x}, "{instants}"}},')
    text = ["/* Written by make_guard.py. */",
            "#include <metering/metering.h>", "",
            '#include "contract/guard.h"', "",
            "const met_error guard_codes[] = {"]
    text += [f"    {code}," for code in codes]
    text += ["};", f"const size_t guard_code_count = {len(codes)};", "",
             "const guard_function guard_functions[] = {"] + rows
    text += ["};", f"const size_t guard_function_count = {len(rows)};", ""]
    pathlib.Path(sys.argv[1]).write_text("\n".join(text + twins))
    pathlib.Path(sys.argv[2]).write_text("".join(
        f"--wrap={name}\n" for name in wrapped))
    pathlib.Path(sys.argv[3]).write_text("\n".join([
        "/* Written by make_guard.py. */", "#include <metering/metering.h>",
        "", '#include "contract/guard.h"', "",
        "void each_nothing(void (*check)(const char *function, "
        "met_error error))", "{", *nothings, "}", ""]))


if __name__ == "__main__":
    main()
