"""The Debian packages hold what CMake installs: every file is in exactly one
of them, and no pattern is without a file.
    check_packaging.py BUILD"""
import fnmatch
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
DEBIAN = TOP / "tools" / "debian"
# Filled by setup.py and not by CMake: tools/debian/rules.
NOT_OF_CMAKE = {"python3-metering"}


def installed(build):
    """Paths as a package has them, below /usr and with its library folder."""
    with tempfile.TemporaryDirectory() as prefix:
        subprocess.run(["cmake", "--install", build, "--prefix", prefix],
                       check=True, stdout=subprocess.DEVNULL)
        root = pathlib.Path(prefix)
        names = [str(path.relative_to(root)) for path in root.rglob("*")
                 if not path.is_dir()]
    return ["usr/" + re.sub(r"^lib/(?!nginx/)", "lib/arch/", name)
            for name in names]


def patterns():
    """(package, pattern) of every line; a second word is where it goes."""
    for path in sorted(DEBIAN.glob("*.install")):
        for line in path.read_text().splitlines():
            yield path.stem, line.split()[0]


def holds(pattern, name):
    """Whether a pattern names a file, or a folder that it is in."""
    return fnmatch.fnmatch(name, pattern) \
        or fnmatch.fnmatch(name, pattern + "/*")


def main():
    """Compares, and the versions too."""
    names = installed(sys.argv[1])
    wrong = []
    for name in names:
        packages = {package for package, pattern in patterns()
                    if holds(pattern, name)}
        if len(packages) != 1:
            wrong.append(f"{name} is in {sorted(packages) or 'no package'}")
    for package, pattern in patterns():
        if package not in NOT_OF_CMAKE \
                and not any(holds(pattern, name) for name in names):
            wrong.append(f"{package}: {pattern} names nothing")
    version = re.search(r"project\(\w+ VERSION (\S+)",
                        (TOP / "CMakeLists.txt").read_text()).group(1)
    changelog = (DEBIAN / "changelog").read_text().splitlines()[0]
    if f"({version})" not in changelog:
        wrong.append(f"{changelog!r} is not of {version}")
    if ".".join(version.split(".")[:2]) not in (DEBIAN / "control").read_text():
        wrong.append("the library's package is not named for its ABI")
    print("\n".join(wrong) or f"{len(names)} files")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
