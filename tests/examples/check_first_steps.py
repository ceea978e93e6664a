#!/usr/bin/env python3
"""The README's example is the file in examples/, and does what it says.

    check_first_steps.py PROGRAM
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    readme = (ROOT / "README.md").read_text()
    block, output = re.search(r"```c\n(.*?)```\n\n```text\n(.*?)```", readme,
                              re.S).groups()
    source = (ROOT / "examples" / "first_steps.c").read_text()
    assert block == source, "README.md and examples/first_steps.c differ"
    assert len(source.splitlines()) <= 40
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([sys.argv[1]], cwd=scratch, capture_output=True,
                              text=True, check=True)
    assert done.stdout == output, done.stdout
    lines = len((ROOT / "examples" / "get_started" / "gateway.c")
                .read_text().splitlines())
    assert lines < 250, f"gateway.c has {lines} lines"
    print("examples: ok")


if __name__ == "__main__":
    main()
