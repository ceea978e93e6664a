#!/usr/bin/env python3
"""A page of docs is true: its files are written, its commands run in their
order, in one directory, and answer what the page says.

    check_pages.py PROGRAM PAGE...
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def sessions(block):
    """(command, what it prints) of a block of "$ " lines and answers."""
    command, answer, end = None, "", None
    for line in block.splitlines(keepends=True):
        if end is not None:  # of a here-document
            command += line
            end = None if line.rstrip() == end else end
        elif line.startswith("$ "):
            if command is not None:
                yield command, answer
            command, answer = line[2:], ""
            found = re.search(r"<<'(\w+)'$", line)
            end = found and found.group(1)
        else:
            answer += line
    yield command, answer


def check(program, page):
    """How many commands of it ran."""
    ran = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.symlink(program, f"{scratch}/metering")
        environment = dict(os.environ,
                           PATH=f"{scratch}:{os.environ['PATH']}")
        environment.pop("METERING_DIR", None)
        for kind, name, block in re.findall(
                r"^```(\S+)(?: (\S+))?\n(.*?)^```$", page.read_text(),
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
    return ran


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    for name in sys.argv[2:]:
        ran = check(program, DOCS / name)
        assert ran > 0, name
        print(f"{name}: {ran} commands ok")


if __name__ == "__main__":
    main()
