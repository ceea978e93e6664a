#!/usr/bin/env python3
"""Instructions of a request through the gateway, admit and complete, of a check
of access by subject and feature, of every amount of an allowance, and of a
customer in the first compilation, counted by valgrind and bounded.

    gateway_instructions.py DRIVER BUILD-TYPE

As limiter_instructions.py, but of the library as it was built: the driver
needs all of it. Whoever makes a request cheaper lowers the bound. Exit status
77: no valgrind, or no bounds for the build. Checked is Debug with -O1."""
import re
import shutil
import subprocess
import sys

COUNTS = {"key": 1000, "windows": 1000, "allowance": 1000, "access": 1000,
          "amounts": 300, "compile": 300}
# Of one request, the driver's own 560 included, or of one customer and a share
# of what a gateway costs without any; a tenth on top.
BOUNDS = {
    "Debug": {"key": 5840, "windows": 9080, "allowance": 11380,
              "access": 9740, "amounts": 68510, "compile": 211000},
    "Checked": {"key": 3040, "windows": 4230, "allowance": 5240,
                "access": 4570, "amounts": 45590, "compile": 131730},
    "RelWithDebInfo": {"key": 2620, "windows": 3670, "allowance": 4450,
                       "access": 3640, "amounts": 40680, "compile": 121050},
}


def count(driver, case):
    out = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--collect-atstart=no", "--toggle-collect=gateway_driver_"
         + ("open" if case == "compile" else "run"),
         driver, case, str(COUNTS[case])],
        capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", out.stderr)
    if out.returncode != 0 or not collected:
        sys.exit(f"{case}: the driver ended with {out.returncode}\n"
                 f"{out.stderr}")
    return int(collected.group(1)) / COUNTS[case]


def main():
    bounds = BOUNDS.get(sys.argv[2])
    if shutil.which("valgrind") is None or bounds is None:
        print("skipped: no valgrind, or no bounds for this build")
        return 77
    bad = 0
    for case, bound in bounds.items():
        each = count(sys.argv[1], case)
        is_over = not 0 < each <= bound
        bad += is_over
        print(f"{case:10} {each:7.0f} of {bound}"
              f"{'   too many' if is_over else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
