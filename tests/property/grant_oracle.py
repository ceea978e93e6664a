#!/usr/bin/env python3
"""Compares the burning of grants with a model written from the rules: random
grants, resets, usage and states, runs that are split, windows, thresholds; and
long times in which little happens, over which C leaps.

    grant_oracle.py DRIVER [--count N] [--seed N] [--plant]

The model takes one event after the other and pays each by itself, where C
works in segments; recurrences are counted from the anchor, where C jumps. It
knows nothing of splits, so that they must not matter. --plant spoils one
expectation in a thousand. The last line is "N passed, N failed".
"""
import argparse
import json
import random
import subprocess
import sys

from grant_model import answer
from grant_questions import idle_question, question

QUESTIONS = [question] * 4 + [idle_question]  # a long one takes long


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    passed = failed = 0
    while passed + failed < options.count:
        asked = [rng.choice(QUESTIONS)(rng) for _ in
                 range(min(5000, options.count - passed - failed))]
        got = subprocess.run([options.driver],
                             input="".join(json.dumps(q) + "\n"
                                           for q in asked),
                             capture_output=True, text=True,
                             check=True).stdout.split("\n")
        for index, asking in enumerate(asked):
            expected = answer(asking)
            if options.plant and index % 1000 == 7:
                expected += " planted"
            if got[index] == expected:
                passed += 1
                continue
            failed += 1
            if failed <= 5:
                print(f"{json.dumps(asking)}\n  expected {expected}"
                      f"\n  got      {got[index]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
