"""The Go package and a library of another version:
    versions.py BUILD GO
Built with older headers it works with this library; built with newer ones it
says that the library is too old."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
# What came last in a structure, and who uses it.
OLDER = {
    "include/metering/limiter.h": [
        r"    /\* Limits of this request in place.*?own_window_count;\n"],
    "include/metering/gateway.h": [
        r"    uint64_t flags;            /\* MET_GATEWAY_REQUIRE[^\n]*\n"],
    "bindings/go/limiter.go": [r", NULL, 0(?=};)", r", own, own_count(?=};)"],
    "bindings/go/gateway.go": [
        r"\tif options.RequireEntitlement {\n[^}]*}\n",
        r"\tif options.NeverCompile {\n[^}]*}\n"],
}
NEWER = {"include/metering/version.h": [
    (r"(MET_VERSION_MINOR) \d+", r"\1 99")]}


def edited(folder, edits):
    """A copy of headers and package with some of their text replaced."""
    for name in ("include", "bindings/go"):
        shutil.copytree(TOP / name, folder / name)
    for name, changes in edits.items():
        path = folder / name
        text = path.read_text()
        for change in changes:
            old, new = change if isinstance(change, tuple) else (change, "")
            text, count = re.subn(old, new, text, flags=re.S)
            assert count, (name, old)
        path.write_text(text)
    return folder


def story(folder, build, go):
    """Runs the example that is built from a copy."""
    libraries = pathlib.Path(build) / "libmetering"
    pc = folder / "metering.pc"
    pc.write_text(f"Name: metering\nDescription: a copy\nVersion: 0\n"
                  f"Cflags: -I{folder}/include\n"
                  f"Libs: -L{libraries} -lmetering\n")
    env = {**os.environ, "PKG_CONFIG_PATH": str(folder),
           "LD_LIBRARY_PATH": str(libraries)}
    return subprocess.run([go, "run", "./examples/get_started"], env=env,
                          cwd=folder / "bindings/go", capture_output=True,
                          text=True, check=False)


def main():
    """Both directions."""
    build, go = sys.argv[1:]
    with tempfile.TemporaryDirectory() as old, \
            tempfile.TemporaryDirectory() as new:
        done = story(edited(pathlib.Path(old), OLDER), build, go)
        assert done.returncode == 0, done.stderr
        for line in ("6 429", "ariel: 5 used, 995 left", "1.00 USD"):
            assert line in done.stdout, done.stdout
        done = story(edited(pathlib.Path(new), NEWER), build, go)
        assert done.returncode != 0, done.stdout
        assert "library: built for libmetering" in done.stderr, done.stderr


if __name__ == "__main__":
    main()
