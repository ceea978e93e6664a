"""Builds the extension with libmetering inside it, so that a wheel needs
nothing but the C library. Which libmetering:

    METERING_ARCHIVE=FILE  this libmetering.a, of a build of the project
    METERING_SHARED=1      the installed shared library, by pkg-config: for a
                           process in which something else links it, too
    neither                its sources: of the checkout, or of the sdist

Its own dependencies are linked from archives where there are any that go into
a shared object, else as shared libraries.
"""
import concurrent.futures
import os
import pathlib
import re
import shlex
import shutil
import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import LinkError

HERE = pathlib.Path(__file__).resolve().parent
BUNDLED = HERE / "bundled"  # of an sdist only
TOP = BUNDLED if BUNDLED.is_dir() else HERE.parents[1]
NEEDED = ("lmdb", "libsodium", "msgpack-c", "msgpack", "libxxhash")
ARCHIVES = ("lmdb", "sodium", "msgpackc")
SKIPPED = ("static_stderr.c",)


def version():
    text = (TOP / "include/metering/version.h").read_text()
    return re.search(r'MET_VERSION_STRING "([^"]+)"', text)[1]


def pkg_config(*words):
    """Its answer as words; none when it does not know the package."""
    done = subprocess.run(["pkg-config", *words], capture_output=True,
                          text=True, check=False)
    return shlex.split(done.stdout) if done.returncode == 0 else []


def decimal_flags():
    """How to find the decimal library's header."""
    for root in ("/usr/include", "/usr/local/include"):
        for name in ("intel", "intelrdfpmath"):
            if (pathlib.Path(root) / name / "bid_functions.h").is_file():
                return [f"-I{root}/{name}"]
    return []


class BuildWithLibrary(build_ext):
    def build_extension(self, ext):
        if os.environ.get("METERING_SHARED"):
            self.link_shared(ext)
            super().build_extension(ext)
            return
        self.link_static(ext)
        archives = [self.found(f"lib{name}.a") for name in ARCHIVES]
        before = (list(ext.sources), list(ext.extra_objects))
        if all(map(os.path.isabs, archives)):
            ext.sources.append("native/static_stderr.c")
            ext.extra_objects += archives
            ext.extra_link_args.append("-Wl,--wrap=stderr")
            try:
                super().build_extension(ext)
                return
            except LinkError:
                print("the archives of this system do not go into a shared "
                      "object: linking shared libraries")
        ext.sources, ext.extra_objects = before
        ext.libraries += list(ARCHIVES)
        super().build_extension(ext)

    def link_shared(self, ext):
        if not pkg_config("--libs", "metering"):
            raise SystemExit("METERING_SHARED: pkg-config knows no metering")
        ext.include_dirs = []
        ext.extra_compile_args += pkg_config("--cflags", "metering")
        ext.extra_link_args += pkg_config("--libs", "metering")

    def link_static(self, ext):
        archive = os.environ.get("METERING_ARCHIVE")
        ext.define_macros.append(("METERING_STATIC", None))
        if archive:
            ext.extra_objects.append(archive)
        else:
            ext.extra_objects += self.compile_library()
        ext.extra_objects.append(self.found("libbidgcc000.a"))
        ext.extra_link_args += ["-Wl,--exclude-libs,ALL", "-Wl,-z,text",
                                "-pthread"]

    def found(self, name):
        """The compiler's own path of an archive; the name when it has none."""
        done = subprocess.run(
            [self.compiler.compiler[0], f"-print-file-name={name}"],
            capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def compile_library(self):
        """Every source of the library, on all processors."""
        room = pathlib.Path(self.build_temp).resolve() / "library"
        # What the caller's CFLAGS say about it comes last.
        words = [*self.compiler.compiler_so, "-fvisibility=hidden", "-O2",
                 *shlex.split(os.environ.get("CFLAGS", "")),
                 "-w", "-D_GNU_SOURCE", "-DMETERING_STATIC",
                 f"-I{TOP / 'include'}", f"-I{TOP / 'libmetering'}",
                 *decimal_flags()]
        for name in NEEDED:
            words += pkg_config("--cflags", name)

        def compiled(source):
            made = room / source.relative_to(TOP).with_suffix(".o")
            made.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([*words, "-c", str(source), "-o", str(made)],
                           check=True)
            return str(made)

        sources = sorted((TOP / "libmetering").rglob("*.c"))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compiled, sources))


class SdistWithLibrary(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        bundled = pathlib.Path(base_dir) / "bundled"
        for name in ("include", "libmetering"):
            shutil.copytree(TOP / name, bundled / name,
                            ignore=shutil.ignore_patterns("CMakeLists.txt"))
        shutil.copy(TOP / "LICENSE", bundled)


setup(
    version=version(),
    cmdclass={"build_ext": BuildWithLibrary, "sdist": SdistWithLibrary},
    ext_modules=[Extension(
        "metering._native",
        sorted(str(path.relative_to(HERE))
               for path in (HERE / "native").glob("*.c")
               if path.name not in SKIPPED),
        include_dirs=[str(TOP / "include")],
        extra_compile_args=["-fvisibility=hidden"],
        depends=["native/native.h", "native/calls.h"],
        py_limited_api=True)])
