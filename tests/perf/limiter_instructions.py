#!/usr/bin/env python3
"""Instructions of a rate limit decision, counted by valgrind and bounded.

    limiter_instructions.py DRIVER

Counts are those of optimised code of one compiler on one architecture, a
deterministic stand-in for time: a decision that becomes a tenth dearer fails.
Whoever makes it cheaper lowers the bound. Exit status 77: no valgrind.
"""
import re
import shutil
import subprocess
import sys

COUNT = 3200
# What a decision may cost: measured with gcc 12, and a tenth on top.
BOUNDS = {
    "log": 812,
    "log_with_times": 1036,
    "log_refused": 672,
    "tape": 894,
    "counter": 728,
    "fixed_epoch": 695,
    "gcra": 692,
    "two_windows": 1213,
    "batch": 884,
}


def count(driver, case):
    call = "met_limiter_check_batch" if case == "batch" else \
        "met_limiter_check"
    out = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         f"--toggle-collect={call}", driver, case, str(COUNT)],
        capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(f"{case}: the driver ended with {out.returncode}\n"
                 f"{out.stderr}")
    collected = re.search(r"Collected : (\d+)", out.stderr)
    if not collected or int(collected.group(1)) == 0:
        sys.exit(f"{case}: nothing was counted\n{out.stderr}")
    return int(collected.group(1)) / COUNT


def main():
    if shutil.which("valgrind") is None:
        print("skipped: no valgrind")
        return 77
    bad = 0
    for case, bound in BOUNDS.items():
        each = count(sys.argv[1], case)
        is_over = each > bound
        bad += is_over
        print(f"{case:16} {each:7.0f} of {bound}"
              f"{'   too many' if is_over else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
