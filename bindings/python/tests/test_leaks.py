"""Nothing leaks: neither memory, as malloc counts it, nor references, as the
debug interpreter does; and its allocator finds nobody who writes beyond."""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

import metering

from conftest import SOURCE

HERE = pathlib.Path(__file__).resolve().parent
DEBUG = shutil.which("python3-dbg")
ARCHIVE = os.environ.get("METERING_ARCHIVE")
IS_SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")

pytestmark = pytest.mark.skipif(
    IS_SANITIZED, reason="the sanitizer has an allocator of its own")


def run(folder, *words, interpreter=sys.executable, path=None):
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [interpreter, str(HERE / "leaks.py"), str(folder), *words],
        capture_output=True, text=True, timeout=250, check=False,
        env={**os.environ, "PYTHONMALLOC": "malloc",
             "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
             "PYTHONPATH": path or str(
                 pathlib.Path(metering.__file__).parents[1])})


def test_no_memory_leaks(tmp_path):
    done = run(tmp_path / "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 8


def test_a_leak_is_seen(tmp_path):
    assert run(tmp_path / "one", "planted").returncode == 1


@pytest.fixture(scope="session")
def debug_build(tmp_path_factory):
    """The extension for the debug interpreter, which counts references."""
    if DEBUG is None or not ARCHIVE or shutil.which("cc") is None:
        pytest.skip("no python3-dbg, or no archive to link")
    include = subprocess.run(
        [DEBUG, "-c", "import sysconfig; print(sysconfig.get_path('include'))"
         ], capture_output=True, text=True, check=True).stdout.strip()
    folder = tmp_path_factory.mktemp("debug")
    package = folder / "metering"
    shutil.copytree(HERE.parent / "src/metering", package)
    native = [str(path) for path in (HERE.parent / "native").glob("*.c")
              if path.name != "static_stderr.c"]
    decimal = subprocess.run(["cc", "-print-file-name=libbidgcc000.a"],
                             capture_output=True, text=True,
                             check=True).stdout.strip()
    subprocess.run(
        ["cc", "-O0", "-g", "-fPIC", "-shared", "-fvisibility=hidden", "-w",
         "-DMETERING_STATIC", f"-I{SOURCE}/include", f"-I{include}", *native,
         "-o", str(package / "_native.abi3.so"), ARCHIVE, decimal,
         *shlex.split("-llmdb -lsodium -lmsgpackc -pthread"),
         "-Wl,--exclude-libs,ALL"], check=True)
    return folder


def test_no_references_leak(debug_build, tmp_path):
    done = run(tmp_path / "all", interpreter=DEBUG, path=str(debug_build))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.000 references" not in done.stdout  # they are counted


def test_the_debug_allocator_finds_nothing(debug_build):
    """Wrong values again, with guards around every block."""
    done = subprocess.run(
        [DEBUG, "-X", "dev", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "-W", "ignore", str(HERE / "test_wrong.py")],
        capture_output=True, text=True, timeout=250, check=False,
        env={**os.environ, "PYTHONMALLOC": "debug", "ROUNDS": "30",
             "PYTHONPATH": str(debug_build)})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
