#!/usr/bin/env python3
"""Plants breaches of the law into a copy of the house and sees each caught.

    self_test.py LIBRARY CC CXX      LIBRARY may be "" (symbols are left out)

A check that catches nothing looks like a house without breaches.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY, CC, CXX = sys.argv[1:4]
problems = []


def run(house, check):
    if check == "headers":
        command = [house / "tests/layers/check_headers.sh",
                   house / "include", CC, CXX]
    elif check == "bindings":
        command = [sys.executable, house / "tests/layers/check_bindings.py"]
    else:
        command = [sys.executable, house / "tests/layers/check_layers.py",
                   check] + ([LIBRARY] if check == "symbols" else [])
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def append(path, text):
    return path, lambda old: old + text


def function(lines):
    return ("static void planted(void)\n{\n" + ";\n" * (lines - 3) + "}\n")


DOCSTRING = ("/**\n * Planted.\n *\n * @return MET_OK\n * @blocks never\n"
             " * @thread any      @fork any      @since 0.1\n */\n")
DECLARED = "MET_API MET_NODISCARD met_error met_planted(void);\n"
ASKING = DECLARED.replace("void", "const char *key, size_t key_size")
FEATURE = "libmetering/catalog/feature.c"
HEADER = "include/metering/error.h"
MAP = "libmetering/libmetering.map"

# (check, (file, how its text changes), part of the message; None: no breach)
PLANTS = [
    ("includes", append("libmetering/base/bytes.c",
                        '#include "store/store.h"\n'),
     "base may not include store/store.h"),
    ("includes", append("libmetering/meter/recorder.c",
                        '#include "catalog/feature.h"\n'),
     "meter may not include catalog/feature.h"),
    ("includes", append("libmetering/rating/totals.c",
                        '#  include "catalog/plan.h"\n'),
     "rating may not include catalog/plan.h"),
    ("includes", append(FEATURE, "#include <lmdb.h>\n"),
     "may not include <lmdb.h>"),
    ("includes", append(HEADER, "#include <stdio.h>\n"),
     "public headers include only"),
    ("includes", append("tools/metering/main.c", '#include "base/os.h"\n'),
     "uses only <metering/...>"),
    ("includes", append("libmetering/catalog/feature.c",
                        '#include "meter/meter_def.h"\n'), None),
    ("calls", append(FEATURE, "void *p(void) { return malloc(1); }\n"),
     "malloc() belongs into base"),
    ("calls", append(FEATURE, "long p(void) { return time (0); }\n"),
     "time() belongs into base"),
    ("calls", append(FEATURE, 'void p(void) { (void)fopen("a", "r"); }\n'),
     "fopen() belongs into base"),
    ("calls", append(FEATURE, "int p(int *a) { return "
                     "__atomic_load_n(a, 0); }\n"), "base/atomic.h"),
    ("calls", append("libmetering/limit/window.c",
                     "#include <stdatomic.h>\n"), "base/atomic.h"),
    ("calls", append(FEATURE, '/* malloc(1) */ const char *p = "free(x)";\n'
                     "int q(void) { return a.time(0) + my_malloc(1); }\n"),
     None),
    ("sizes", append(FEATURE, "/* */\n" * 600), "lines, at most 600"),
    ("sizes", append(FEATURE, f"int {'x' * 76};\n"),
     "81 columns, at most 80"),
    ("sizes", append(HEADER, f"/* {'·' * 75} */\n"),
     "81 columns, at most 80"),
    ("sizes", append(FEATURE, f"/* {'·' * 75} */\n"),
     "81 columns, at most 80"),
    ("sizes", append(FEATURE, f"/* {'·' * 74} */\n"), None),
    ("sizes", append("libmetering/catalog/discounts.c", function(71)),
     "planted: 71 lines, at most 70"),
    ("sizes", append("libmetering/catalog/discounts.c", function(70)), None),
    ("names", ("libmetering/catalog/bytes.c", lambda old: "/* Why. */\n"),
     "same name as libmetering/base/bytes.c"),
    ("names", ("libmetering/catalog/planted.c", lambda old: "int p;\n"),
     "does not open with a comment"),
    ("docs", append(HEADER, DECLARED), "met_planted has no docstring"),
    ("docs", append(HEADER, DOCSTRING + DECLARED), None),
    ("docs", append(HEADER, DOCSTRING + ASKING), "no @param key"),
    ("docs", append(HEADER, DOCSTRING.replace(
        "@return", "@param other  one\n * @return") + DECLARED),
     "@param other is no parameter"),
    ("docs", append(HEADER, DOCSTRING.replace(
        "@return", "@param key  any\n * @return") + ASKING), None),
] + [
    ("docs", append(HEADER, DOCSTRING.replace(tag, "") + DECLARED), message)
    for tag, message in (("@fork", "lacks @fork"), ("@since", "lacks @since"),
                         ("@thread", "lacks @thread"),
                         ("@blocks", "lacks @blocks"),
                         ("@return MET_OK", "must list the errors"))
] + [
    ("headers", append(HEADER, "struct planted { int a; void *b; };\n"),
     "planted"),
    ("headers", append(HEADER, "struct planted { int class; };\n"), "class"),
    ("headers", append(HEADER, "static inline int planted(void)\n"
                       "{ return sizeof(struct met_undeclared_); }\n"),
     "met_undeclared_"),
    ("symbols", append(HEADER, DOCSTRING + DECLARED),
     "met_planted: declared, not in libmetering.map"),
    ("symbols", (MAP, lambda old: old.replace("met_store_open;",
                                              "met_store_aopen;")),
     "met_store_open: exported, not in libmetering.map"),
    ("symbols", (MAP, lambda old: old.replace(
        "met_store_open;", "met_store_open;\n        met_store_planted;")),
     "met_store_planted: in libmetering.map, not in the library"),
    ("symbols", (MAP, lambda old: old.replace(
        "met_store_open;", "met_store_open;\n        met_buffer_release;")),
     "names are not in order"),
    ("symbols", append(FEATURE, "met_error met_feature_put(\n"),
     "defines met_feature_put: only api may"),
    ("bindings", (MAP, lambda old: old.replace(
        "met_store_open;", "met_store_open;\n        met_store_planted;")),
     "met_store_planted is not in bindings/go"),
    ("bindings", (MAP, lambda old: old.replace("met_time_parse;", "")),
     "met_time_parse is no public call any more"),
    ("bindings", ("bindings/go/price.go", lambda old: old.replace(
        "C.met_price_check(", "C.met_price_planted(")),
     "met_price_check is not in bindings/go"),
    ("bindings", append("bindings/go/price.go",
                        "var _ = C.met_usage_query\n"),
     "met_usage_query is in bindings/go, but its row"),
    ("bindings", ("bindings/python/src/metering/store.py",
                  lambda old: old.replace('"meter_get"', '"meter_planted"')),
     "met_meter_get is not in bindings/python"),
    ("bindings", ("include/metering/store.h", lambda old: old.replace(
        "\n} met_store_config;",
        "\n    uint64_t planted_max;\n} met_store_config;")),
     "met_store_config.planted_max is not in bindings/python"),
    ("bindings", ("include/metering/gateway.h", lambda old: old.replace(
        "MET_GATEWAY_NEVER_COMPILE = 2", "MET_GATEWAY_NEVER_PLANTED = 2")),
     "MET_GATEWAY_NEVER_PLANTED is not in bindings/go"),
]


def main():
    caught = 0
    with tempfile.TemporaryDirectory() as home:
        house = pathlib.Path(home) / "house"
        for folder in ("include", "libmetering", "tools", "tests/layers",
                       "bindings/go", "bindings/python"):
            shutil.copytree(ROOT / folder, house / folder)
        for check in sorted({plant[0] for plant in PLANTS}):
            if check == "symbols" and not LIBRARY:
                continue
            status, text = run(house, check)
            if status != 0:
                problems.append(f"{check}: the house itself: {text}")
        for check, (name, change), message in PLANTS:
            if check == "symbols" and not LIBRARY:
                continue
            path = house / name
            old = path.read_text() if path.exists() else None
            path.write_text(change(old))
            status, text = run(house, check)
            if old is None:
                path.unlink()
            else:
                path.write_text(old)
            if message is None and status != 0:
                problems.append(f"{check}: no breach, but: {text}")
            elif message is not None and (status != 1 or message not in text):
                problems.append(f"{check}: not caught: {message} "
                                f"(status {status})\n{text}")
            caught += message is not None
    for text in problems:
        print(text)
    print(f"{caught} breaches planted, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
