"""The package from outside: types, pages, wheels, old headers, new ones."""
import doctest
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import metering

from conftest import CATALOG, SOURCE

PACKAGE = SOURCE / "bindings/python"
ARCHIVE = os.environ.get("METERING_ARCHIVE")
SHARED = os.environ.get("METERING_LIBRARY")
DEBIAN = "/usr/bin/python3"
# Whoever asks for an index gets an error.
OFFLINE = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0",
           "PIP_INDEX_URL": "http://127.0.0.1:9/"}
needs_archive = pytest.mark.skipif(
    not ARCHIVE or "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="no archive to link, or one that is sanitized")


def run(*words, status=0, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True,
                          text=True, timeout=280, check=False, **more)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def has(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"],
                          capture_output=True, check=False).returncode == 0


def test_the_tutorial_tells_the_story():
    source = PACKAGE / "examples/get_started.py"
    assert len(source.read_text().splitlines()) <= 60
    said = run(sys.executable, source)
    assert "ariel: the last one 429, of this month 5\n" in said
    assert "rosario: the last one 200, of this month 5001\n" in said
    assert said.count("INVOICE") == 3 and "INV-0001" in said
    for words in ("Ariel", "Rosario", "2.00 USD"):
        assert words in said


def test_the_page_is_true(tmp_path, monkeypatch):
    """Every line with >>> of docs/python.md."""
    monkeypatch.chdir(tmp_path)
    text = (SOURCE / "docs/python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    page = "\n".join(block for block in blocks if ">>>" in block)
    assert page.count(">>>") > 30
    test = doctest.DocTestParser().get_doctest(page, {}, "python.md", None, 0)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (PACKAGE / "README.md").read_text()
    names = {"catalog": CATALOG}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(block, names)
    assert capsys.readouterr().out.split() == ["True"] * 5 + ["False"]
    with metering.open("store") as store:
        store.settle()
        assert sum(row.value for row in store.usage("api_requests")) == 1


def test_the_application_of_the_page_serves(tmp_path):
    """app.py of docs/python.md, around an application of ours."""
    text = (SOURCE / "docs/python.md").read_text()
    source, = re.findall(r"```python\n(# app.py\n.*?)```", text, re.S)
    with metering.open(tmp_path / "store", create=True) as store:
        store.apply(CATALOG)
    said, names = [], {"app": lambda environ, start: [
        environ["metering.admission"].consumer.encode()]}
    exec(source.replace("/var/lib/metering", str(tmp_path / "store")), names)
    body = names["app"]({"REQUEST_METHOD": "GET", "PATH_INFO": "/anything",
                         "HTTP_APIKEY": "ariel-key"},
                        lambda *words: said.append(words))
    assert b"".join(body) == b"ariel"
    body.close()
    names["app"].close()


@pytest.mark.skipif(not has("mypy"), reason="mypy is not installed")
def test_types_are_strict(tmp_path):
    """The package itself, and a user's file: right, and wrong."""
    right = tmp_path / "right.py"
    right.write_text(
        "from decimal import Decimal\nimport metering\n"
        "with metering.Limiter('l') as limiter:\n"
        "    ok: bool = limiter.policy('p', '5/minute').allow('k')\n"
        "with metering.open('s') as store, store.recorder() as recorder:\n"
        "    recorder.add('e', 's', {'a': 'b'}, {'q': Decimal(1)})\n"
        "    for row in store.usage('m'):\n"
        "        value: Decimal = row.value\n"
        "    total: list[Decimal] = metering.Price('{}').totals([1])\n")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import metering\n"
        "metering.Limiter('l').policy('p', '5/minute').allow(5)\n"
        "metering.open('s').recorder().add('e', 's', None, {'q': 1.5})\n"
        "metering.Price('{}').totals([1.5])\n"
        "metering.open('s', creat=True)\n")
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir",
             str(tmp_path / "cache"), "--no-error-summary"]
    env = {**os.environ, "MYPYPATH": str(PACKAGE / "src")}
    run(*words, PACKAGE / "src/metering", right, env=env)
    found = run(*words, wrong, status=1, env=env)
    assert {int(line.split(":")[1]) for line in found.splitlines()
            if ": error:" in line} == {2, 3, 4, 5}


def test_the_stub_names_what_there_is():
    """Every public name of the extension is in its stub, and the reverse."""
    import ast
    tree = ast.parse((PACKAGE / "src/metering/_native.pyi").read_text())
    for item in tree.body:
        if not isinstance(item, ast.ClassDef) or item.name == "_Handle":
            continue
        names = {f.name for f in item.body if isinstance(f, ast.FunctionDef)
                 and not f.name.startswith("__")}
        kind = getattr(metering._native, item.name)
        there = {name for name in vars(kind) if not name.startswith("__")}
        if kind is metering.WindowState:
            there -= {"n_fields", "n_sequence_fields", "n_unnamed_fields"}
        assert there - {"close", "closed"} == names, item.name
    functions = {item.name for item in tree.body
                 if isinstance(item, ast.FunctionDef)}
    assert functions == {name for name in dir(metering._native)
                         if callable(getattr(metering._native, name))
                         and not isinstance(getattr(metering._native, name),
                                            type)}
    assert set(metering.__all__) <= set(dir(metering))


def copied(folder):
    """The package in a tree of its own, as pip builds it in place."""
    target = folder / "checkout"
    for name in ("include", "libmetering"):
        shutil.copytree(SOURCE / name, target / name)
    shutil.copy(SOURCE / "LICENSE", target)
    shutil.copytree(PACKAGE, target / "bindings/python",
                    ignore=shutil.ignore_patterns("build", "*.egg-info"))
    return target / "bindings/python"


SMOKE = """
import metering, sys
limiter = metering.Limiter(sys.argv[1] + '/limits.map')
free = limiter.policy('free', '5/minute')
print([free.allow('k') for _ in range(6)].count(True), metering.__file__)
store = metering.open(sys.argv[1] + '/store', create=True)
store.apply({'meters': [{'key': 'm', 'name': 'M', 'event_type': 'e',
                         'aggregation': 'count'}]})
store.recorder().add('e', 's')
store.settle()
print(sum(row.value for row in store.usage('m')))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this build's library, by the standard back end, offline."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copied(folder)
    run(DEBIAN, "-m", "build", "--no-isolation", "--wheel", "--outdir",
        folder, source, env={**os.environ, "CFLAGS": "-O0"})
    found, = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """A fresh environment; who installs into it removes it from there again."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run(DEBIAN, "-m", "venv", folder)
    return folder


@needs_archive
def test_a_wheel_needs_nothing(wheel, tmp_path):
    assert re.fullmatch(r"metering-[0-9.]+-cp311-abi3-linux_\w+\.whl",
                        wheel.name)
    with zipfile.ZipFile(wheel) as inside:
        names = set(inside.namelist())
        inside.extractall(tmp_path)
    assert {"metering/_native.abi3.so", "metering/_native.pyi",
            "metering/py.typed", "metering/store.py"} <= names
    binary = tmp_path / "metering/_native.abi3.so"
    defined = run("nm", "-D", "--defined-only", binary)
    assert [line.split()[-1] for line in defined.splitlines()] == [
        "PyInit__native"]
    needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", binary))
    others = [name for name in needed
              if not name.startswith(("libc.so", "libpthread.so", "ld-linux"))]
    assert others == [] or shutil.which("dpkg") is None
    assert "TEXTREL" not in run("readelf", "-d", binary)


@needs_archive
def test_a_wheel_is_installed_and_works(wheel, venv, tmp_path):
    python = venv / "bin/python"
    env = {**os.environ, "PYTHONPATH": ""}
    run(python, "-m", "pip", "install", "-q", "--no-index", wheel, env=env)
    said = run(python, "-c", SMOKE, tmp_path, env=env)
    run(python, "-m", "pip", "uninstall", "-q", "-y", "metering", env=env)
    assert said.startswith("5 ") and str(venv) in said
    assert said.endswith("\n1\n")
    run(python, "-c", "import metering", status=1, env=env)


@needs_archive
def test_it_is_installed_as_the_page_says(venv, tmp_path):
    """The command of docs/python.md, in an environment without it, offline."""
    page = (SOURCE / "docs/python.md").read_text()
    command = re.search(r"## Install\n\n```sh\n(.*?)```", page, re.S)[1]
    checkout = copied(tmp_path).parents[1]
    env = {**os.environ, **OFFLINE, "PYTHONPATH": "", "CFLAGS": "-O0",
           "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    run("sh", "-ec", "pip uninstall -q -y metering", env=env)
    run("sh", "-ec", command, cwd=checkout, env=env)
    said = run("sh", "-ec", 'python -c "$0" "$1"', SMOKE, tmp_path, env=env)
    assert said.startswith("5 ") and str(venv) in said


def test_setuptools_is_fetched_only_where_there_is_none(tmp_path):
    """What the back end asks pip for, by what lies in a folder."""
    asks = ("import sys; sys.path[:0] = sys.argv[1:2]; import backend; "
            "backend.SYSTEM = ''; backend.folders = lambda: sys.argv[2:]; "
            "print(backend.get_requires_for_build_wheel())")
    for names, asked in (((), True), (("setuptools-64.0",), True),
                         (("setuptools-65.5", ), True),
                         (("setuptools-65.5", "wheel-0.38"), False),
                         (("setuptools-80.1",), False)):
        folder = tmp_path / "-".join(("at", *names))
        for name in names:
            metadata = folder / f"{name}.dist-info/METADATA"
            metadata.parent.mkdir(parents=True)
            metadata.write_text("Name: {}\nVersion: {}\n".format(
                *name.split("-")))
        said = run(sys.executable, "-c", asks, PACKAGE, folder)
        assert ("setuptools" in said) == asked, (names, said)


@needs_archive
def test_every_later_python_loads_it(wheel, tmp_path):
    """Those that are on this machine."""
    with zipfile.ZipFile(wheel) as inside:
        inside.extractall(tmp_path)
    tried = 0
    for minor in range(11, 20):
        python = shutil.which(f"python3.{minor}")
        if python is None or subprocess.run(
                [python, "-c", ""], capture_output=True,
                check=False).returncode != 0:
            continue
        folder = tmp_path / f"{minor}"
        folder.mkdir()
        said = run(python, "-c", SMOKE, folder,
                   env={**os.environ, "PYTHONPATH": str(tmp_path)})
        assert said.startswith("5 ")
        tried += 1
    assert tried


# --- Other headers than the library's ---------------------------------------
# Struct by struct, the field that came last is taken out again, as in a header
# from before it was there.
OLDER = {
    "limiter.h": [
        r"    /\* Limits of this request in place.*?own_window_count;\n",
        r"    /\* Of this handle since it was opened.*?refusals;[^\n]*\n"],
    "store.h": [r"    uint64_t flags;               /\* MET_STORE_[^\n]*\n"],
    "gateway.h": [
        r"    uint64_t flags;            /\* MET_GATEWAY_REQUIRE[^\n]*\n"],
}


def build_against(include, folder, native=PACKAGE / "native"):
    """The extension, linked to the shared library of this build."""
    package = folder / "metering"
    shutil.copytree(PACKAGE / "src/metering", package)
    python = run(sys.executable, "-c", "import sysconfig; "
                 "print(sysconfig.get_path('include'))").strip()
    run("cc", "-O0", "-w", "-fPIC", "-shared", "-fvisibility=hidden",
        f"-I{include}", f"-I{python}",
        *[path for path in native.glob("*.c")
          if path.name != "static_stderr.c"],
        "-o", package / "_native.abi3.so", SHARED,
        f"-Wl,-rpath,{pathlib.Path(SHARED).parent}")
    return {**os.environ, "PYTHONPATH": str(folder)}


needs_shared = pytest.mark.skipif(
    not SHARED or "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="no shared library")


@needs_shared
def test_an_old_binding_with_a_newer_library(tmp_path):
    include = tmp_path / "include"
    shutil.copytree(SOURCE / "include", include)
    for name, fields in OLDER.items():
        path = include / "metering" / name
        text = path.read_text()
        for field in fields:
            text, count = re.subn(field, "", text, flags=re.S)
            assert count == 1, (name, field)
        path.write_text(text)
    native = tmp_path / "native"
    shutil.copytree(PACKAGE / "native", native)
    for path in native.glob("*.c"):  # and nobody knew the fields
        text = path.read_text()
        text = re.sub(r"        request->own_window[^\n]*\n", "", text)
        text = text.replace(" STAT(decisions), STAT(refusals)", "") \
            .replace("STAT(duplicates),", "STAT(duplicates)") \
            .replace("sK sK sK sK sK sK sK sK sK sK sK sK sK sK sK",
                     "sK sK sK sK sK sK sK sK sK sK sK sK sK") \
            .replace("&config.flags)", "&(uint64_t){0})")
        path.write_text(text)
    env = build_against(include, tmp_path / "old", native)
    run(sys.executable, "-c", "import metering; "
        f"metering.open({str(tmp_path / 'store')!r}, create=True)",
        env={**os.environ})
    said = run(sys.executable, "-c", SMOKE.replace(", create=True", ""),
               tmp_path, env=env)
    assert said.startswith("5 ") and said.endswith("\n1\n")


@needs_shared
def test_a_new_binding_with_an_older_library(tmp_path):
    include = tmp_path / "include"
    shutil.copytree(SOURCE / "include", include)
    path = include / "metering/version.h"
    path.write_text(re.sub(r"(MET_VERSION_MINOR) \d+", r"\1 99",
                           path.read_text()))
    env = build_against(include, tmp_path / "new")
    done = subprocess.run([sys.executable, "-c", "import metering"], env=env,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: metering was built for libmetering" in done.stderr
