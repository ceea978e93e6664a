"""init, info, check, backup; options, help and exit statuses."""
import json
import pathlib


def test_wrong_use_is_status_2(tool):
    for words in (["nothing"], ["info", "more"], ["info", "--nothing"],
                  ["info", "--field"], ["info", "--field", "a", "--field=b"],
                  ["info", "--json=1"], ["backup"], [""]):
        tool.refused(*words, reason="metering", status=2)


def test_no_store_named(tool):
    tool.refused("info", reason="-d DIR", status=2, store=False)


def test_no_command(tool):
    tool.refused(reason="what should be done", status=2)


def test_help(tool):
    out, _ = tool.run("help", store=False)
    for name in ("init", "info", "check", "backup"):
        assert f"\n  {name}" in out
    for line in out.splitlines():
        assert len(line) <= 110
    out, _ = tool.run("help", "backup", store=False)
    assert "secrets" in out
    assert tool.run("backup", "--help", store=False)[0] == out
    tool.refused("help", "nothing", reason="no command", status=2)
    tool.refused("nothing", reason="Try: metering help\n", status=2)
    tool.refused("meter", "create", reason="Try: metering help meter\n",
                 status=2)


def test_version(tool):
    out, _ = tool.run("--version", store=False)
    assert out.startswith("metering 0.")


def test_missing_store(tool):
    for words in (["info"], ["check"], ["backup", tool.directory / "x"]):
        tool.refused(*words, reason="MET_E_NOT_FOUND")
    assert not tool.directory.exists()


def test_not_a_store(tool, files):
    files("file", "x")
    tool.directory = pathlib.Path(str(tool.directory) + "/../file")
    tool.refused("info", reason="MET_E_")


def test_init_is_idempotent(tool):
    tool.run("init")
    first = tool.json("info")
    tool.run("init")
    assert tool.json("info")["store_id"] == first["store_id"]


def test_field(tool):
    tool.run("init")
    out, _ = tool.run("info", "--field", "store_id")
    assert out.strip() == tool.json("info")["store_id"]
    assert json.loads(tool.run("info", "--field", "tables")[0])
    tool.refused("info", "--field", "nothing", reason="no \"nothing\"")


def test_info_says_whether_billing_is_alive(tool):
    tool.run("init")
    _, err = tool.run("info")
    assert err == "billing: no usage waits to be settled\n"
    assert tool.run("info", "--field", "tally.cells_unsettled")[0] == "0\n"


def test_check(tool):
    tool.run("init")
    assert tool.json("check")["damaged"] == 0


def test_check_finds_damage(tool):
    tool.run("init")
    data = tool.directory / "data.mdb"
    content = bytearray(data.read_bytes())
    for at in range(8192 + 64, len(content), 16):
        content[at] ^= 0xff
    data.write_bytes(content)
    tool.run("check", status=1)


def test_backup(tool, tmp_path):
    tool.run("init")
    tool.run("backup", tmp_path / "copy")
    tool.refused("backup", tmp_path / "copy", reason="MET_E_EXISTS")
    tool.refused("backup", tmp_path / "no" / "copy", reason="MET_E_NOT_FOUND")
    tool.refused("backup", "", reason="path")
    tool.run("backup", "--without-secrets", tmp_path / "bare")
    tool.directory = tmp_path / "copy"
    assert tool.json("check")["damaged"] == 0
