"""The metering command under test: METERING_TOOL names the program."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = ("meter", "feature", "plan", "customer", "subscription", "invoice",
         "service", "route", "consumer", "consumer_group", "plugin")
STORY = ROOT / "examples" / "get_started"


class Tool:
    """Runs the command on one store."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, *words, stdin=None, status=0, store=True):
        """(stdout, stderr) as text; the exit status must be as expected
        (None: 0 or 1, never a signal)."""
        command = [os.environ["METERING_TOOL"]]
        if store:
            command += ["-d", str(self.directory)]
        environment = {k: v for k, v in os.environ.items()
                       if k != "METERING_DIR"}
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run(command + [str(word) for word in words],
                              input=stdin, capture_output=True, timeout=60,
                              env=environment, check=False)
        out = done.stdout.decode(errors="replace")
        err = done.stderr.decode(errors="replace")
        allowed = (0, 1) if status is None else (status,)
        assert done.returncode in allowed, (words, done.returncode, out, err)
        return out, err

    def json(self, *words, **options):
        return json.loads(self.run(*words, "--json", **options)[0])

    def everything(self):
        """What is stored, by kind: to compare before and after."""
        return {kind: self.json("list", kind)["items"] for kind in KINDS}

    def refused(self, *words, reason, status=1, **options):
        """Fails with a line that names the reason; nothing on stdout."""
        out, err = self.run(*words, status=status, **options)
        assert out == "", (words, out)
        assert reason in err, (words, reason, err)
        return err


@pytest.fixture
def tool(tmp_path):
    return Tool(tmp_path / "store")


@pytest.fixture
def filled(tool):
    """A store with the get-started story in it."""
    tool.run("apply", STORY / "kong.yaml", STORY / "catalog.yaml")
    return tool


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One store with the story for all tests that must not change it."""
    tool = Tool(tmp_path_factory.mktemp("shared") / "store")
    tool.run("apply", STORY / "kong.yaml", STORY / "catalog.yaml")
    before = tool.everything()
    yield tool
    assert tool.everything() == before


@pytest.fixture
def unchanged(shared):
    """The shared store; not a byte of it may change."""
    data = shared.directory / "data.mdb"
    before = data.read_bytes()
    yield shared
    assert data.read_bytes() == before


@pytest.fixture
def files(tmp_path):
    """Writes a file and gives its path."""
    def write(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return path
    return write
