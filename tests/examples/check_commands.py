#!/usr/bin/env python3
"""Every command that the README shows of the tool works as it is shown.

    check_commands.py PROGRAM
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    readme = (ROOT / "README.md").read_text()
    section = re.search(r"\n## The command\n(.*?)\n## ", readme, re.S).group(1)
    script = re.search(r"```sh\n(.*?)```", section, re.S).group(1)
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "examples", f"{scratch}/examples")
        (pathlib.Path(scratch) / "bin").mkdir()
        os.symlink(program, f"{scratch}/bin/metering")
        environment = dict(os.environ, PATH=f"{scratch}/bin:"
                                            f"{os.environ['PATH']}")
        environment.pop("METERING_DIR", None)
        done = subprocess.run(["bash", "-e", "-c", script], cwd=scratch,
                              env=environment, capture_output=True, text=True,
                              check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
    for shown in ("18 created, 0 updated, 0 unchanged if it were applied",
                  "18 created, 0 updated, 0 unchanged\n",
                  "billing: no usage waits to be settled"):
        assert shown in done.stderr, (shown, done.stderr)
    for shown in (r"5716  admitted", r"INV-0001", r"Total +2\.00 USD",
                  r'"is_allowed":false'):
        assert re.search(shown, done.stdout), (shown, done.stdout)
    print("commands: ok")


if __name__ == "__main__":
    main()
