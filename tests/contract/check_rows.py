#!/usr/bin/env python3
"""Every public function has one row in rows_*.c, and no row is of another."""
import pathlib
import re
import sys

import headers


def main():
    rows = [f"met_{name}" for path in pathlib.Path(__file__).parent.glob(
                "rows_*.c")
            for name in re.findall(r"^    ROW\((\w+),", path.read_text(), re.M)]
    names = {function.name for function in headers.functions()}
    wrong = [f"{name}: {rows.count(name)} rows" for name in sorted(names)
             if rows.count(name) != 1]
    wrong += [f"{name}: no such function" for name in sorted(set(rows) - names)]
    print("\n".join(wrong + [f"rows: {len(rows)}, {len(wrong)} problems"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
