#!/usr/bin/env python3
"""Is a program that was built against an earlier 0.1 still served?

    abi.py compare LIBRARY CC          the library against the baseline
    abi.py planted LIBRARY CC          each planted break must be found
    abi.py old-client LIBRARY CC       a program of the baseline's headers runs
    abi.py new-client LIBRARY CC       and one whose structs have grown
    abi.py grown-library CC            a library whose structs have grown serves
                                       the program of the baseline
    abi.py baseline                    what the headers say now is the baseline

The baseline is what a stranger builds with: the public headers and the symbol
map, in baseline/api-0.1.tar.xz. From it a library of empty functions is made,
with debug information, and abidiff compares it with the real one. Constants,
which no debug information has, and the places of fields, whose exchange abidiff
lets pass together with growth, are printed by a program of each side.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BASELINE = HERE / "baseline" / "api-0.1.tar.xz"
MAP = "libmetering/libmetering.map"
FUNCTION = re.compile(r"MET_API\s+([\w\s*]+?\b(met_\w+)\s*\([^;]*?\))\s*;",
                      re.S)
STRUCT = re.compile(r"(typedef struct (met_\w+) \{\n    size_t struct_size;\n"
                    r".*?\n)(\} \2;)", re.S)
# Constants that may differ from the baseline, each with the reason.
CHANGED = {}
# (file, what stands there, what the break makes of it)
PLANTS = {
    "a function is gone": (
        "version.h", r"MET_API const char \*met_version_string\(void\);", ""),
    "a parameter has another type": (
        "catalog.h", r"size_t key_size,\n", "uint32_t key_size,\n"),
    "a parameter more": (
        "version.h", r"met_version_string\(void\)",
        "met_version_string(int more)"),
    "a field in the middle": (
        "limiter.h", r"(    size_t name_size;\n    const met_limiter_window)",
        r"    uint64_t more;\n\1"),
    "a field is gone": ("store.h", r"    uint64_t map_size_bytes;.*\n", ""),
    "two fields have changed places": (
        "recorder.h", r"(    uint64_t shapes_max;\n)(    uint64_t flags;)",
        r"\2\n\1"),
    "a frozen struct has grown": (
        "types.h", r"(    void \*owner; /\* private \*/\n)",
        r"\1    uint64_t more;\n"),
    "a constant has another value": (
        "event.h", r"MET_VERDICT_LATE = 3", "MET_VERDICT_LATE = 9"),
    "a constant is gone": (
        "recorder.h", r"#define MET_RECORDER_SHAPES_MAX 2097152\n",
        "#define MET_RECORDER_SHAPES 2097152\n"),
}


def run(*command, **more):
    """A command whose answer is needed."""
    done = subprocess.run([str(word) for word in command], text=True,
                          capture_output=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(word) for word in command)}\n"
                 f"{done.stdout}{done.stderr}")
    return done.stdout


def unpack(folder):
    """The baseline's tree: include/metering and the map."""
    with tarfile.open(BASELINE) as tar:
        tar.extractall(folder)
    return pathlib.Path(folder)


def headers(tree):
    """All public headers of a tree, without their comments."""
    return {path.name: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
            for path in sorted((tree / "include" / "metering").glob("*.h"))}


def growable(tree):
    """Names of structs that may grow at their end."""
    return [found[1] for text in headers(tree).values()
            for found in STRUCT.findall(text)]


def compile_c(compiler, source, tree, output, *more):
    """A program or a library with debug information, of a tree's headers."""
    run(compiler, "-std=gnu11", "-w", "-g", "-O0", "-I", tree / "include",
        *(["-x", "c", "-"] if isinstance(source, str) else [source]),
        "-o", output, "-x", "none", *more,
        **({"input": source} if isinstance(source, str) else {}))
    return output


def stub(tree, compiler, folder):
    """A library that has every function of the headers, and does nothing."""
    bodies = [f"{found[0]} {{ __builtin_trap(); }}"
              for text in headers(tree).values()
              for found in FUNCTION.findall(text)]
    assert len(bodies) > 100, len(bodies)
    folder.mkdir(exist_ok=True)
    library = folder / "libmetering.so.0.1"
    return compile_c(compiler, "#include <metering/metering.h>\n"
                     + "\n".join(bodies) + "\n", tree, library,
                     "-shared", "-fPIC", "-Wl,-soname,libmetering.so.0.1",
                     f"-Wl,--version-script={tree / MAP}")


def require_debug(library):
    """Without it abidiff finds nothing, and says that all is well."""
    sections = run("readelf", "-S", "--wide", library)
    if ".debug_info" not in sections:
        sys.exit(f"{library} has no debug information (.debug_info): abidiff "
                 "would see no type of it. Build it with -g.")


def names_of(tree):
    """Enumerators and macros with a value, of all headers."""
    names = set()
    for text in headers(tree).values():
        names.update(re.findall(r"^#define (MET\w+) +[^\s\\].*(?<!\\)$", text,
                                re.M))
        for block in re.findall(r"enum \{(.*?)\}", text, re.S):
            names.update(re.findall(r"\b(MET_\w+)\s*=", block))
        names.update(re.findall(r"\b(MET_E_\w+)\b", text))
    return sorted(name for name in names if not name.endswith("_")
                  and name not in ("MET_API", "MET_NODISCARD",
                                   "MET_BEGIN_DECLS", "MET_END_DECLS"))


def fields_of(tree):
    """(struct, field) of every struct whose fields are public."""
    for text in headers(tree).values():
        for name, body in re.findall(r"typedef struct (met_\w+) \{\n(.*?)\n\}",
                                     text, re.S):
            for word in " ".join(body.split()).split(";")[:-1]:
                found = re.search(r"\(\*(\w+)\)", word) \
                    or re.search(r"(\w+)(\[\w+\])*$", word)
                yield name, found.group(1)


def facts(tree, compiler, folder):
    """{what: value} of constants and of the layout of structs."""
    names, fields = names_of(tree), list(fields_of(tree))
    assert len(names) > 130 and len(fields) > 200, (len(names), len(fields))
    rows = [f'printf(_Generic(({name}), char *: "%s\\t%s\\n", default: '
            f'"%s\\t%lld\\n"), "{name}", {name});' for name in names]
    rows += [f'printf("size of {name}\\t%zu\\n", sizeof({name}));'
             for name in sorted({name for name, _ in fields})]
    rows += [f'printf("place and size of {name}.{field}\\t%zu %zu\\n", '
             f'offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
             for name, field in fields]
    program = compile_c(compiler, "#include <metering/metering.h>\n"
                        "#include <stdio.h>\nint main(void)\n{\n"
                        + "\n".join(rows) + "\n    return 0;\n}\n",
                        tree, folder / "facts")
    return dict(line.split("\t") for line in run(program).splitlines())


def compare(library, tree, compiler, scratch):
    """Every difference from the baseline that an old program would feel."""
    scratch = pathlib.Path(scratch)
    need_abidiff()
    require_debug(library)
    before = unpack(scratch / "before")
    old = stub(before, compiler, scratch / "stub")
    require_debug(old)
    names = "|".join(growable(before))
    (scratch / "grow.ini").write_text(
        "[suppress_type]\ntype_kind = struct\n"
        f"name_regexp = ^({names})$\nhas_data_member_inserted_at = end\n")
    done = subprocess.run(
        ["abidiff", "--no-added-syms", "--suppressions", scratch / "grow.ini",
         old, library], capture_output=True, text=True, check=False)
    wrong = []
    if done.returncode != 0:
        wrong += (done.stdout + done.stderr).strip().splitlines()
    was = facts(before, compiler, scratch)
    now = facts(tree, compiler, scratch)
    may_grow = {f"size of {name}" for name in growable(before)}
    for what, value in was.items():
        if what in may_grow and int(now.get(what, 0)) >= int(value):
            continue
        if now.get(what) != value and what not in CHANGED:
            wrong.append(f"{what} was {value}, is {now.get(what)}")
    print(f"{len(may_grow)} structs that may grow, {len(was)} constants and "
          f"places, abidiff says {done.returncode}")
    return wrong


def need_abidiff():
    """ctest's word for a test that cannot be made here."""
    if shutil.which("abidiff") is None:
        print("abidiff is missing: tools/setup installs abigail-tools")
        sys.exit(77)


def do_compare(library, compiler):
    with tempfile.TemporaryDirectory() as scratch:
        wrong = compare(library, ROOT, compiler, scratch)
    if wrong:
        wrong.append("An old program would break. While 0.1 is not released "
                     "and it is meant: tests/abi/abi.py baseline")
    print("\n".join(wrong))
    return 1 if wrong else 0


def do_planted(library, compiler):
    """Breaks in the headers of the baseline, each compiled into a library;
    and the real library without debug information."""
    missed = []
    for name, (file, old, new) in PLANTS.items():
        with tempfile.TemporaryDirectory() as scratch:
            tree = unpack(pathlib.Path(scratch) / "after")
            path = tree / "include" / "metering" / file
            text, count = re.subn(old, new, path.read_text(), count=1)
            assert count == 1, f"{name}: {file} has no such place"
            path.write_text(text)
            if "function is gone" in name:
                script = tree / MAP
                script.write_text(re.sub(r"\s+met_version_string;", "",
                                         script.read_text()))
            broken = stub(tree, compiler, pathlib.Path(scratch) / "broken")
            wrong = compare(broken, tree, compiler, scratch)
            print(f"{name}: {'found' if wrong else 'MISSED'}")
            if not wrong:
                missed.append(name)
    with tempfile.TemporaryDirectory() as scratch:
        same = unpack(pathlib.Path(scratch) / "same")
        whole = stub(same, compiler, pathlib.Path(scratch) / "whole")
        if compare(whole, same, compiler, scratch):
            missed.append("nothing is planted, and something is found")
        bare = pathlib.Path(scratch) / "bare.so"
        run("objcopy", "--strip-debug", library, bare)
        asked = subprocess.run(
            [sys.executable, __file__, "compare", bare, compiler],
            capture_output=True, text=True, check=False)
        if asked.returncode == 0 or ".debug_info" not in asked.stderr:
            missed.append("no debug information")
    print("\n".join(missed))
    return 1 if missed else 0


def copy_of_today(tree):
    """The headers and the map as they are, beyond which a later one grows."""
    shutil.copytree(ROOT / "include", tree / "include")
    (tree / MAP).parent.mkdir()
    shutil.copy(ROOT / MAP, tree / MAP)


def grow(tree):
    """Two fields more at the end of every struct that may grow."""
    for path in (tree / "include" / "metering").glob("*.h"):
        path.write_text(STRUCT.sub(r"\1    uint64_t grown_[2];\n\3",
                                   path.read_text()))


def client(tree, compiler, folder, against, *more):
    """The program of old_client.c, linked with a library that is only the
    headers; at run time `against` is loaded instead."""
    source = (HERE / "old_client.c").read_text()
    unused = [name for name in growable(tree)
              if not re.search(rf"\b{name}\b", source)]
    assert not unused, f"old_client.c does not use {unused}"
    folder.mkdir()
    library = stub(tree, compiler, folder / "stub")
    program = compile_c(compiler, HERE / "old_client.c", tree,
                        folder / "client", library, *more)
    work = folder / "work"
    work.mkdir()
    said = run(program, cwd=work,
               env={"LD_LIBRARY_PATH": str(against.resolve().parent)})
    expected = (HERE / "old_client.txt").read_text()
    if said != expected:
        sys.exit(f"it says\n{said}and not\n{expected}")
    print(f"{len(said.splitlines())} lines as they were")
    return 0


def do_old_client(library, compiler):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        return client(unpack(scratch / "old"), compiler, scratch / "client",
                      library)


def do_new_client(library, compiler):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        tree = scratch / "new"
        copy_of_today(tree)
        grow(tree)
        return client(tree, compiler, scratch / "client", library, "-DGROWN")


def do_grown_library(compiler):
    """The sources of today, built with grown structs."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        tree, build = scratch / "grown", scratch / "build"
        for name in ("cmake", "include", "libmetering", "pkgconfig"):
            shutil.copytree(ROOT / name, tree / name)
        shutil.copy(ROOT / "CMakeLists.txt", tree)
        grow(tree)
        off = [f"-DMETERING_BUILD_{part}=OFF" for part in (
            "TESTS", "TOOLS", "EXAMPLES", "PYTHON", "BENCH", "NGINX")]
        run("cmake", "-S", tree, "-B", build, "-G", "Ninja",
            f"-DCMAKE_C_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_C_FLAGS=-O0 -g0 -w", *off)
        run("cmake", "--build", build, "-j", "2", "--target", "metering")
        return client(unpack(scratch / "old"), compiler, scratch / "client",
                      build / "libmetering" / "libmetering.so.0.1")


def do_baseline():
    with tarfile.open(BASELINE, "w:xz") as tar:
        for name in ("include/metering", MAP):
            tar.add(ROOT / name, name)
    print(f"{BASELINE.relative_to(ROOT)}: commit it with the reason")
    return 0


def main():
    """One of the commands above."""
    commands = {"compare": do_compare, "planted": do_planted,
                "old-client": do_old_client, "new-client": do_new_client,
                "grown-library": do_grown_library, "baseline": do_baseline}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    words = [pathlib.Path(word) if pathlib.Path(word).is_file()
             and ".so" in word else word for word in sys.argv[2:]]
    return commands[sys.argv[1]](*words)


if __name__ == "__main__":
    sys.exit(main())
