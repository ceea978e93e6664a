#!/usr/bin/env python3
"""Every function of the library that reads what somebody else wrote is reached
by a fuzz target.

    check_parsers.py DIRECTORY-OF-TARGETS

Such functions are known by their names and by what they are given: text, bytes
or a tree of JSON. parsers.txt says which target is for which; valgrind says,
when the corpus runs, whether it really gets there.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = HERE.parents[1] / "libmetering"
FUNCTION = re.compile(r"^met_error\s+(met__\w*?(?:_read|_parse|_unpack|_decode)"
                      r"\w*)\(([^)]*)\)", re.M)
GIVEN = re.compile(r"met__text (?!name\b)|const met__node \*|const void \*|"
                   r"met__fields \*|const char \*path")


def parsers():
    """{function} of all rooms."""
    return {name for path in LIBRARY.glob("*/*.c")
            for name, given in FUNCTION.findall(path.read_text())
            if GIVEN.search(" ".join(given.split()))}


def rows():
    """{function: target} of the list, and those that need none."""
    reached, excused = {}, set()
    for line in (HERE / "parsers.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, target, *reason = line.split(maxsplit=2)
            assert name not in reached and name not in excused, name
            if target == "-":
                assert reason, f"{name}: why is there no target?"
                excused.add(name)
            else:
                reached[name] = target
    return reached, excused


def called(program, corpus):
    """Names of all functions that ran."""
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "callgrind.out"
        subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no",
             f"--callgrind-out-file={out}", program, "--once", corpus],
            check=True, stdout=subprocess.DEVNULL)
        return set(re.findall(r"^fn=(met__\w+)", out.read_text(), re.M))


def main():
    targets = pathlib.Path(sys.argv[1])
    reached, excused = rows()
    wrong = []
    for name in sorted(parsers() - set(reached) - excused):
        wrong.append(f"{name}: not in parsers.txt")
    for name in sorted((set(reached) | excused) - parsers()):
        wrong.append(f"{name}: in parsers.txt, but no such function")
    known = {path.stem[len("fuzz_"):] for path in HERE.glob("fuzz_*.c")}
    for target in sorted(set(reached.values()) - known):
        wrong.append(f"{target}: no such target")
    for target in sorted(known & set(reached.values())):
        ran = called(targets / f"fuzz_{target}", HERE / "corpus" / target)
        for name in sorted(reached):
            if reached[name] == target and name not in ran:
                wrong.append(f"{name}: the corpus of {target} does not "
                             "reach it")
    print("\n".join(wrong))
    print(f"{len(reached)} functions that read, {len(known)} targets")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
