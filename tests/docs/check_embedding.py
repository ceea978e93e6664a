#!/usr/bin/env python3
"""docs/embedding.md is a program: its pieces in their order compile without a
warning, and it says what the page says.

    check_embedding.py LIBRARY CC
"""
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]


def main():
    library, compiler = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    page = (TOP / "docs" / "embedding.md").read_text()
    pieces = re.findall(r"^```c\n(.*?)^```$", page, re.S | re.M)
    expected, = re.findall(r"^```text\n(.*?)^```$", page, re.S | re.M)
    assert len(pieces) > 5
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror",
                        "-I", TOP / "include", "-x", "c", "-", "-x", "none",
                        "-o", f"{scratch}/program", library,
                        f"-Wl,-rpath,{library.parent}"],
                       input="\n".join(pieces), text=True, check=True)
        said = subprocess.run([f"{scratch}/program"], cwd=scratch, text=True,
                              stdout=subprocess.PIPE, check=True).stdout
    assert said == expected, said
    print(f"embedding: {len(pieces)} pieces are a program")


if __name__ == "__main__":
    main()
