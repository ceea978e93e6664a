#!/usr/bin/env python3
"""How long a key takes tells nothing of it: valgrind counts the instructions of
every look at one.

    key_instructions.py DRIVER

Digests that share no byte, some or all with a known one, neighbours in the
cache, and unknown keys that begin as a known one does, new or seen before, take
the same number of instructions, to the last one. A revoked key is an unknown
key. All keys that are new, good or bad, cost the same hash; a key that has
expired costs at most a fifth more or less than an unknown one. Exit status 77:
no valgrind."""
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HASH = "crypto_generichash"
BY_ITSELF = ("digest", "snapshot", "cache", "unknown", "again", "revoked")
NEW = ("unknown", "revoked", "expired", "valid00")


def read_dump(path):
    """Instructions in all, and those of the hash."""
    text = path.read_text()
    total = int(re.search(r"^(?:totals|summary): (\d+)", text,
                          re.MULTILINE).group(1))
    of_hash = sum(int(found) for found in re.findall(
        rf"^cfn={HASH}\ncalls=.*\n\S+ (\d+)$", text, re.MULTILINE))
    return total, of_hash


def run(driver, directory):
    out = subprocess.run(
        ["valgrind", "--tool=callgrind", "--compress-strings=no",
         "--compress-pos=no", f"--callgrind-out-file={directory}/out",
         "--collect-atstart=no", "--toggle-collect=key_driver_step",
         "--dump-after=key_driver_step", driver],
        capture_output=True, text=True, check=False)
    if out.returncode != 0:
        sys.exit(f"the driver ended with {out.returncode}\n{out.stderr}")
    steps = out.stdout.splitlines()
    dumps = sorted(pathlib.Path(directory).glob("out.*"),
                   key=lambda path: int(path.suffix[1:]))
    assert 0 < len(steps) <= len(dumps), (len(steps), len(dumps))
    counts = collections.defaultdict(list)
    for line, dump in zip(steps, dumps):
        name, variant, _ = line.split()
        counts[name].append((int(variant), *read_dump(dump)))
    return counts


def main():
    if shutil.which("valgrind") is None:
        print("skipped: no valgrind")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        counts = run(sys.argv[1], directory)
    bad = []
    for name in BY_ITSELF:
        totals = {total for _, total, _ in counts[name]}
        print(f"{name:10} {len(counts[name]):4} of {sorted(totals)}")
        if len(totals) != 1:
            bad.append(f"{name} depends on the key: " + ", ".join(
                f"{variant}: {total}" for variant, total, _ in counts[name]))
    if counts["unknown"][0][1] != counts["revoked"][0][1]:
        bad.append("a revoked key is not as an unknown one")
    unknown = counts["unknown"][0][1]
    for _, total, _ in counts["expired"]:
        if abs(total - unknown) > unknown / 5:
            bad.append(f"expired {total}, unknown {unknown}")
    hashes = {name: {of_hash for _, _, of_hash in counts[name]}
              for name in NEW}
    print("expired", {total for _, total, _ in counts["expired"]},
          "valid", {total for _, total, _ in counts["valid00"]},
          "hash", hashes)
    if len(set().union(*hashes.values())) != 1 or 0 in hashes["unknown"]:
        bad.append(f"not the same hash for all: {hashes}")
    print(*bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
