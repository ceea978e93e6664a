#!/usr/bin/env python3
"""Every error that a docstring names was seen from that function in a test, or
has a row in unseen.txt that says why not; and no row there is out of date.

    census.py SEEN-DIRECTORY... [--list]

What was seen the programs of the tests wrote down themselves (guard.c), each
the build that ran last. --list prints what is missing as rows.
"""
import fnmatch
import pathlib
import struct
import sys

import headers

HERE = pathlib.Path(__file__).parent


def seen(directories, functions, codes):
    """{(function, error)}, and how many programs were asked."""
    pairs, count = set(), 0
    size = 8 + 4 * len(functions)
    for path in sorted(path for directory in directories
                       for path in pathlib.Path(directory).iterdir()):
        data = path.read_bytes()
        if len(data) != size:
            continue  # of other headers
        count += 1
        for function, bits in zip(functions,
                                  struct.unpack_from(f"{len(functions)}I",
                                                     data, 8)):
            pairs |= {(function.name, code) for i, code in enumerate(codes)
                      if bits >> i & 1}
    return pairs, count


def rows():
    """(line, function or pattern, error, reason) of unseen.txt. A pattern is
    of those among its functions that have not been seen."""
    for number, line in enumerate(
            (HERE / "unseen.txt").read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            pattern, code, reason = line.split(None, 2)
            yield number, pattern, code, reason


def main():
    functions = [function for function in headers.functions()
                 if function.kind == "met_error"]
    named = {(function.name, code) for function in functions
             for code in function.named()}
    directories = [word for word in sys.argv[1:] if word != "--list"]
    found, programs = seen(directories, functions, headers.codes())
    missing = named - found
    left = set(missing)
    problems = []
    for number, pattern, code, _ in rows():
        here = {pair for pair in named
                if pair[1] == code and fnmatch.fnmatchcase(pair[0], pattern)}
        if "*" not in pattern:
            problems += [f"unseen.txt:{number}: {name} {code}: was seen"
                         for name, _ in sorted(here - missing)]
        if not here & left:
            problems.append(f"unseen.txt:{number}: {pattern} {code}: no "
                            "docstring names it that another row has not")
        left -= here
    if "--list" in sys.argv[1:]:
        for name, code in sorted(left, key=lambda pair: pair[::-1]):
            print(name, code)
    problems += [f"{name}: names {code}, and no test has seen it"
                 for name, code in sorted(left)]
    print(*problems, sep="\n")
    print(f"census: {len(named)} errors of {len(functions)} functions are "
          f"named, {len(named & found)} seen by {programs} programs, "
          f"{len(missing) - len(left)} have a reason, {len(problems)} "
          "problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
