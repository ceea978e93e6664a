"""What shells complete and the manual page, from the table of commands."""
import pathlib
import re
import shutil
import subprocess

import pytest


def commands(tool):
    """(noun, verb or "") of every row, as the tool's help lists them."""
    out, _ = tool.run("--help", store=False)
    rows = re.findall(r"(?m)^  ([a-z]\S*)(?: ([a-z]+))?(?= |$)", out)
    return {(noun, verb) for noun, verb in rows}


def complete(script, *words):
    """What bash offers behind the words; the last one is being written."""
    quoted = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(
        ["bash", "-c", f". {script}; COMP_WORDS=({quoted}); "
         "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _metering; "
         'echo "${COMPREPLY[*]}"'],
        capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture(name="script")
def fixture_script(tool, tmp_path):
    """The completion of bash, in a file."""
    path = tmp_path / "completion"
    path.write_text(tool.run("completion", "bash", store=False)[0])
    return path


def test_bash(tool, script):
    nouns = {noun for noun, _ in commands(tool)}
    assert set(complete(script, "metering", "")) >= nouns | {"help"}
    assert complete(script, "metering", "pl") == ["plan"]
    assert "publish" in complete(script, "metering", "-d", "x", "plan", "")
    assert complete(script, "metering", "plan", "publish", "--al") == \
        ["--allow-past"]
    assert complete(script, "metering", "settle", "--fo") == ["--follow"]


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish", "man"])
def test_every_command_is_there(tool, kind):
    text = tool.run("completion", kind, store=False)[0]
    known = commands(tool)
    assert len(known) > 30
    for noun, verb in known:
        wanted = {"bash": rf'"{noun} {verb}"', "zsh": rf'"{noun} {verb}"',
                  "fish": rf"-a {verb or noun} -d",
                  "man": rf"\.B metering {noun} ?{verb}"}[kind]
        assert re.search(wanted, text), (kind, noun, verb)
    assert "--dry-run" in text.replace("\\-", "-") or kind == "fish"


def test_zsh_is_read_by_bash(tool, tmp_path):
    """Its cases are those of bash; the rest is its own."""
    path = tmp_path / "zsh"
    path.write_text(tool.run("completion", "zsh", store=False)[0])
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", path], check=True)
    assert path.read_text().startswith("#compdef metering\n")


def test_unknown_shell(tool):
    tool.refused("completion", "tcsh", status=2, store=False,
                 reason="is not bash, zsh, fish or man")


@pytest.mark.parametrize("name", ["command", "library"])
def test_pages_are_roff(tool, tmp_path, name):
    pages = [tmp_path / "metering.1"]
    if name == "command":
        pages[0].write_text(tool.run("completion", "man", store=False)[0])
    else:
        top = pathlib.Path(__file__).resolve().parents[2]
        subprocess.run([top / "tools" / "manual", tmp_path], check=True)
        pages = sorted(tmp_path.glob("man*/*"))
        symbols = re.findall(r"\b(met_[a-z0-9_]+);", (
            top / "libmetering" / "libmetering.map").read_text())
        assert {f"{symbol}.3" for symbol in symbols} <= \
            {page.name for page in pages}
    for page in pages:
        text = page.read_text()
        assert text.startswith(".TH ") and ".SH NAME\n" in text
        assert page.suffix != ".3" or ".SH SYNOPSIS\n" in text
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z",
                               *pages], capture_output=True, text=True,
                              check=True)
        assert done.stderr == ""
