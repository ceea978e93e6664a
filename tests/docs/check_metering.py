#!/usr/bin/env python3
"""docs/metering.md is true: its files are written, its commands run in their
order, in one directory, and answer what the page says.

    check_metering.py PROGRAM
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "metering.md"


def sessions(block):
    """(command, what it prints) of a block of "$ " lines and answers."""
    command, answer = None, ""
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            if command is not None:
                yield command, answer
            command, answer = line[2:], ""
        else:
            answer += line
    yield command, answer


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    ran = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.symlink(program, f"{scratch}/metering")
        environment = dict(os.environ,
                           PATH=f"{scratch}:{os.environ['PATH']}")
        environment.pop("METERING_DIR", None)
        for kind, name, block in re.findall(
                r"^```(\S+)(?: (\S+))?\n(.*?)^```$", PAGE.read_text(),
                re.S | re.M):
            if kind != "console":
                (pathlib.Path(scratch) / name).write_text(block)
                continue
            for command, answer in sessions(block):
                done = subprocess.run(["bash", "-c", command], cwd=scratch,
                                      env=environment, capture_output=True,
                                      text=True, timeout=60, check=False)
                assert done.returncode == 0, (command, done.stderr)
                assert done.stdout == answer, (command, done.stdout, answer)
                ran += 1
    assert ran > 10, ran
    print(f"metering: {ran} commands ok")


if __name__ == "__main__":
    main()
