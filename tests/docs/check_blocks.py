#!/usr/bin/env python3
"""Every fenced block of every page is run by a test, or says why not.

    check_blocks.py [ROOT]

A block of a language that RAN has for its page is what the test of that name
runs. "text" is what something answers, or a picture. Any other stands behind a
line <!-- not run: why -->. Exits 1 and names every block that is neither, and
every row that no block needs.
"""
import pathlib
import re
import sys

# page -> language -> the test that runs all such blocks of the page
RAN = {
    "README.md": {"c": "examples_first_steps", "cmake": "install",
                  "sh": "examples_commands install"},
    "bench/README.md": {"sh": "bench_run"},
    "bindings/python/README.md": {"python": "python_package"},
    "docs/documents.md": {"json": "docs_documents"},
    "docs/embedding.md": {"c": "docs_embedding", "sh": "install"},
    "docs/entitlements.md": {"console": "docs_pages"},
    "docs/go.md": {"go": "go_page", "sh": "go_page"},
    "docs/metering.md": dict.fromkeys(("console", "json-lines", "yaml"),
                                      "docs_pages"),
    "docs/nginx.md": dict.fromkeys(("nginx", "sh"), "docs_nginx"),
    "docs/operations.md": dict.fromkeys(("console", "yaml"), "docs_pages"),
    "docs/python.md": dict.fromkeys(("python", "sh"), "python_package"),
}
FENCE = re.compile(r"^(<!-- not run: [^\n]+ -->\n)?```([^\n]*)\n.*?^```$",
                   re.S | re.M)


def pages(root):
    """Path as written above, and text."""
    for folder in (".", "docs", "bench", "bindings", "examples", "tests",
                   "tools"):
        pattern = "*.md" if folder in (".", "docs") else "**/*.md"
        for path in sorted((root / folder).glob(pattern)):
            yield str(path.relative_to(root)), path.read_text()


def is_test(name, cmake):
    """By its name, or by the loop that makes it."""
    stem, _, last = name.rpartition("_")
    return re.search(rf"NAME {name}\b", cmake) or (
        re.search(rf"NAME {stem}_\$\{{\w+\}}", cmake)
        and re.search(rf"foreach\(\w+ [^)]*\b{last}\b", cmake))


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                        else pathlib.Path(__file__).parents[2])
    cmake = "".join(path.read_text() for path in root.rglob("CMakeLists.txt")
                    if "build" not in path.relative_to(root).parts)
    problems, count, left_out = [], 0, 0
    needed = set()
    for name, text in pages(root):
        for block in FENCE.finditer(text):
            count += 1
            where = f"{name}:{text.count(chr(10), 0, block.start()) + 1}"
            language = block.group(2).split(" ")[0]
            if block.group(1) is not None:
                left_out += 1
            elif language in RAN.get(name, {}):
                needed.add((name, language))
            elif language != "text":
                problems.append(f"{where}: {language or 'a block'} is run by "
                                "no test; run it, or say <!-- not run: why "
                                "--> above it (text: an answer, a picture)")
    for name, languages in RAN.items():
        for language, test in languages.items():
            if (name, language) not in needed:
                problems.append(f"{name} has no {language}: remove its row "
                                f"in {__file__}")
            problems += [f"{word}, which runs {name}, is no test"
                         for word in test.split() if not is_test(word, cmake)]
    print(*problems, sep="\n")
    print(f"blocks: {count}, {left_out} with a reason not to be run, "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
