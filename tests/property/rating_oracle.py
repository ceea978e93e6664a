#!/usr/bin/env python3
"""Compares rating with a model in Python's fractions, over seeded random
prices, quantities, splits and runs.

    rating_oracle.py DRIVER [--count N] [--seed S] [--plant]

The model is written from the pricing rules, not from the C code. Besides equal
answers it demands: the runs of a series sum to the whole, whatever the
quantities did in between, also when each line lies on its own period; the
shares of an amount sum to it; a total is the sum of its lines. Where an exact
step has more than 34 digits, MET_E_OVERFLOW is right too. --plant spoils one
expectation in a thousand and must end with a failure. The last line is
"N passed, N failed".
"""
import argparse
import random
import subprocess
import sys

from rating_questions import questions_of


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    passed = failed = 0
    while passed + failed < options.count:
        asked = questions_of(rng, min(20000,
                                      options.count - passed - failed))
        got = subprocess.run([options.driver],
                             input="".join(q + "\n" for q, _ in asked),
                             capture_output=True, text=True,
                             check=True).stdout.split("\n")
        card = ""
        for index, (question, answer) in enumerate(asked):
            if question.startswith("P"):
                card = question
            if options.plant and index % 1000 == 7:
                answer = "= planted"
            answers = answer if isinstance(answer, tuple) else (answer,)
            if index < len(got) and got[index] in answers:
                passed += 1
                continue
            failed += 1
            if failed <= 20:
                print(f"{card}\n{question}\n  expected "
                      f"{' or '.join(answers)}\n  got      "
                      f"{got[index] if index < len(got) else '(nothing)'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
