"""setuptools, found where it is. pip builds in an environment of its own that
has no packages; it would fetch setuptools each time. One that is installed
already, in this environment or beside the interpreter that it was made of,
serves as well and needs no network; pip is asked to fetch only where there is
none."""
import importlib
import importlib.metadata
import pathlib
import sys
import sysconfig

NEEDED = ["setuptools>=65", "wheel"]
OLDEST = 65
WHEEL_INSIDE = 71  # from then on setuptools makes wheels by itself
# Of Debian: its wheel serves every interpreter, its setuptools only its own.
SYSTEM = "/usr/lib/python3/dist-packages"


def folders():
    """Where packages of this environment and of its interpreter are."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    yield from sys.path
    yield sysconfig.get_path("purelib")
    for root in dict.fromkeys((sys.prefix, sys.base_prefix)):
        for name in (f"{version}/site-packages", "python3/dist-packages"):
            yield str(pathlib.Path(root) / "lib" / name)


def first(name, oldest, places):
    """The first place that has a package, and its version; else None, 0."""
    for place in places:
        for found in importlib.metadata.distributions(name=name, path=[place]):
            major = int(found.version.split(".")[0])
            if major >= oldest:
                return place, major
    return None, 0


def find():
    """Makes setuptools importable; False where there is none."""
    places = list(folders())
    found, major = first("setuptools", OLDEST, places)
    wheel = found
    if found and major < WHEEL_INSIDE:
        wheel, _ = first("wheel", 0, [*places, SYSTEM])
    if not found or not wheel:
        return False
    sys.path += [place for place in dict.fromkeys((found, wheel))
                 if place not in sys.path]
    return True


def get_requires_for_build_wheel(config_settings=None):
    return [] if find() else NEEDED


get_requires_for_build_sdist = get_requires_for_build_wheel
get_requires_for_build_editable = get_requires_for_build_wheel


def setuptools_does(hook):
    """A hook of setuptools, which is imported when it is called."""
    def call(*words, **more):
        find()
        back_end = importlib.import_module("setuptools.build_meta")
        return getattr(back_end, hook)(*words, **more)
    return call


prepare_metadata_for_build_wheel = setuptools_does(
    "prepare_metadata_for_build_wheel")
prepare_metadata_for_build_editable = setuptools_does(
    "prepare_metadata_for_build_editable")
build_wheel = setuptools_does("build_wheel")
build_editable = setuptools_does("build_editable")
build_sdist = setuptools_does("build_sdist")
