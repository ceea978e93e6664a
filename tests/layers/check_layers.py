#!/usr/bin/env python3
"""Checks the house against its law; each check is one argument.

    check_layers.py includes | calls | sizes | docs | names | symbols LIB

Exits 1 and names file and line of every breach; prints one summary line.
"""
import pathlib
import re
import subprocess
import sys

import rooms

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "libmetering"
HEADERS = ROOT / "include" / "metering"
problems = []


def problem(path, line, text):
    problems.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def sources(*patterns):
    for pattern in patterns:
        yield from sorted(LIBRARY.glob(pattern))


def strip_comments(text):
    """Comments and string contents replaced by blanks, lines kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, blank, text, flags=re.S)


def check_includes():
    count = 0
    for path in sources("*/*.c", "*/*.h"):
        room = path.parent.name
        name = f"{room}/{path.name}"
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if not found:
                continue
            count += 1
            header = found.group(1)
            if header in rooms.THIRD_PARTY:
                allowed = rooms.THIRD_PARTY[header]
                if allowed is None or not re.fullmatch(allowed, name):
                    problem(path, number, f"may not include <{header}>")
                continue
            other = header.split("/")[0]
            if other not in rooms.MAY_INCLUDE or other == room:
                continue
            if other not in rooms.MAY_INCLUDE[room]:
                problem(path, number, f"{room} may not include {header}")
            narrow = rooms.ONLY_HEADERS.get(room, {}).get(other)
            if narrow and header not in narrow:
                problem(path, number, f"{room} may not include {header}")
    for path in sorted(HEADERS.glob("*.h")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if found:
                count += 1
                if not re.fullmatch(r"metering/\w+\.h|stddef\.h|stdint\.h",
                                    found.group(1)):
                    problem(path, number, "public headers include only their "
                            "siblings, stddef.h and stdint.h")
    for folder in ("tools", "examples", "bench", "bindings"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if found and found.group(1).split("/")[0] in rooms.MAY_INCLUDE:
                    problem(path, number, f"{folder} uses only <metering/...>")
    return f"{count} includes"


def check_calls():
    names = "|".join(rooms.BASE_ONLY)
    pattern = re.compile(r"(?<![\w.>])(" + names + r")\s*\(")
    atomic = re.compile(rooms.ATOMIC_PATTERN)
    count = 0
    for path in sources("*/*.c", "*/*.h"):
        room = path.parent.name
        if room == "base":
            continue
        count += 1
        allowed = rooms.EXCEPTIONS.get(f"{room}/{path.name}", {})
        text = strip_comments(path.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            for found in pattern.finditer(line):
                if found.group(1) not in allowed:
                    problem(path, number,
                            f"{found.group(1)}() belongs into base")
            if atomic.search(line):
                problem(path, number, "atomics go through base/atomic.h")
    return f"{count} files"


def check_columns():
    """Of everything in C and in Python, comments too."""
    for folder in ("include", "libmetering", "bindings", "tools", "examples",
                   "bench", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".c", ".h", ".py"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if len(line.rstrip()) > rooms.COLUMNS_MAX:
                    problem(path, number, f"{len(line)} columns, at most "
                            f"{rooms.COLUMNS_MAX}")


def check_sizes():
    longest = (0, "")
    check_columns()
    for path in sources("*/*.c", "*/*.h"):
        lines = len(path.read_text().splitlines())
        if lines > rooms.FILE_LINES_MAX:
            problem(path, 1, f"{lines} lines, at most {rooms.FILE_LINES_MAX}")
    listed = subprocess.run(
        ["ctags", "-x", "--c-kinds=f", "--fields=+ne",
         "--_xformat=%F\t%n\t%{end}\t%N"]
        + [str(p) for p in sources("*/*.c", "*/*.h")],
        capture_output=True, text=True, check=True).stdout
    count = 0
    for row in listed.splitlines():
        name, start, end, function = row.split("\t")
        if not end.isdigit():
            continue
        count += 1
        lines = int(end) - int(start) + 1
        longest = max(longest, (lines, function))
        if lines > rooms.FUNCTION_LINES_MAX:
            problem(pathlib.Path(name), int(start), f"{function}: {lines} "
                    f"lines, at most {rooms.FUNCTION_LINES_MAX}")
    if count == 0:
        print("no function found", file=sys.stderr)
        sys.exit(1)
    return f"{count} functions, longest {longest[1]} ({longest[0]} lines)"


def check_names():
    seen = {}
    count = 0
    for path in sources("*/*.c", "*/*.h"):
        count += 1
        if path.name in seen and path.parent.name != "api":
            problem(path, 1, f"same name as {seen[path.name]}")
        if path.parent.name != "api":
            seen[path.name] = path.relative_to(ROOT)
        if path.suffix == ".c" and not path.read_text().startswith("/*"):
            problem(path, 1, "does not open with a comment on its purpose")
    without = []
    for path in sources("*/*.c"):
        room = path.parent.name
        test = ROOT / "tests" / "unit" / room / f"{path.stem}_test.c"
        if not test.exists():
            without.append(f"{room}/{path.name}")
    if without:
        print("no unit test file of their own: " + " ".join(without))
    return f"{count} files"


def exported():
    """(header, line, name, comment, type, parameters) of every MET_API
    function."""
    pattern = re.compile(r"(/\*\*(?:(?!\*/).)*\*/)?\s*"
                         r"^MET_API\b([^;]*?)\b(met_\w+)\s*\(([^;]*)\);",
                         re.S | re.M)
    for path in sorted(HEADERS.glob("*.h")):
        text = path.read_text()
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start(3)) + 1
            yield (path, line, found.group(3), found.group(1),
                   found.group(2), re.findall(r"(\w+)(?:,|$)",
                                              found.group(4)))


def check_parameters(path, line, name, comment, parameters):
    """Each has a @param; the size of a text goes with the text."""
    said = [word for words in re.findall(r"@param (\w+(?:, \w+)*)", comment)
            for word in words.split(", ")]
    for word in parameters:
        text = re.sub(r"_size$", "", word)
        if word != "void" and word not in said and not (
                text != word and text in parameters and text in said):
            problem(path, line, f"{name}: no @param {word}")
    for word in sorted(set(said) - set(parameters)):
        problem(path, line, f"{name}: @param {word} is no parameter")


def check_docs():
    count = 0
    for path, line, name, comment, kind, parameters in exported():
        count += 1
        if not comment:
            problem(path, line, f"{name} has no docstring")
            continue
        if re.search(r"[Ss]ee met_\w+", comment):
            wanted = ("@since",)  # a sibling carries the rest
        else:
            wanted = ("@thread", "@fork", "@blocks", "@since")
        for tag in wanted:
            if tag not in comment:
                problem(path, line, f"{name}: docstring lacks {tag}")
        if "met_error" in kind and "see met_" not in comment.lower():
            if "@return" not in comment or "MET_OK" not in comment:
                problem(path, line, f"{name}: @return must list the errors")
        check_parameters(path, line, name, comment, parameters)
    return f"{count} functions"


def check_symbols(library):
    declared = {row[2] for row in exported()}
    text = (LIBRARY / "libmetering.map").read_text()
    listed = re.findall(r"^\s+(met_\w+);", text, re.M)
    seen = subprocess.run(["nm", "-D", "--defined-only", library],
                          capture_output=True, text=True, check=True).stdout
    found = {row.split()[2].split("@")[0] for row in seen.splitlines()
             if row.split()[1] in "TWDBRV"}
    if listed != sorted(listed):
        problems.append("libmetering.map: names are not in order")
    for name in sorted(declared - set(listed)):
        problems.append(f"{name}: declared, not in libmetering.map")
    for name in sorted(set(listed) - declared):
        problems.append(f"{name}: in libmetering.map, declared nowhere")
    for name in sorted(set(listed) - found):
        problems.append(f"{name}: in libmetering.map, not in the library")
    for name in sorted(found - set(listed)):
        problems.append(f"{name}: exported, not in libmetering.map")
    definition = re.compile(r"^\w[\w ]*\*?\s+\*?(met_\w+)\(", re.M)
    for path in sources("*/*.c"):
        if path.parent.name == "api":
            continue
        for name in definition.findall(path.read_text()):
            if name in declared:
                problem(path, 1, f"defines {name}: only api may")
    return f"{len(declared)} exported functions"


def main():
    checks = {"includes": check_includes, "calls": check_calls,
              "sizes": check_sizes, "docs": check_docs, "names": check_names,
              "symbols": check_symbols}
    if len(sys.argv) < 2 or sys.argv[1] not in checks:
        print(__doc__, file=sys.stderr)
        return 2
    summary = checks[sys.argv[1]](*sys.argv[2:])
    for text in problems:
        print(text)
    print(f"{sys.argv[1]}: {summary}, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
