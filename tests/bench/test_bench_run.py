"""bench/run: medians, ratios, tables, and the protocol with a peer that says
what it is told to say."""
import json
import pathlib
import re
import runpy
import shlex
import subprocess
import sys
import types
import xml.dom.minidom

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bench"))
import peers  # noqa: E402
import report  # noqa: E402
import table  # noqa: E402

# Answers a fixed number of nanoseconds an operation, one after the other.
PEER = """
import json, sys
cases = json.loads(sys.argv[1])
print(json.dumps({"cases": [case["said"] for case in cases]}), flush=True)
for line in sys.stdin:
    words = line.split()
    case, count = cases[int(words[0])], int(words[1])
    each = case["each"].pop(0) if len(case["each"]) > 1 else case["each"][0]
    if each == "dies":
        sys.exit(3)
    answer = {"ns": each * count, "count": count}
    if "share" in case:
        answer["allowed"] = int(case["share"] * count)
    if words[2:] == ["results"]:
        answer["results"] = case["results"][:count]
    print(json.dumps(answer), flush=True)
"""


def said(case, who, each, *, share=None, results=None, **more):
    out = {"said": {"case": case, "who": who, **more}, "each": each}
    if share is not None:
        out["share"] = share
    if results is not None:
        out["results"] = results
        out["said"]["has_results"] = True
    return out


@pytest.fixture(name="house")
def fixture_house(tmp_path):
    """A folder of peers; add(name, cases) puts one there."""
    (tmp_path / "peer.py").write_text(PEER)

    def add(name, cases, needs=(), build=(), subject="limiter"):
        folder = tmp_path / name
        folder.mkdir()
        words = json.dumps(cases).replace("{", "{{").replace("}", "}}")
        (folder / "peer.json").write_text(json.dumps([
            {"subject": subject, "needs": list(needs), "build": list(build),
             "run": [sys.executable, str(tmp_path / "peer.py"), words]}]))
        return folder

    add.path = tmp_path
    return add


@pytest.fixture(name="take_part")
def fixture_take_part(house, monkeypatch):
    started = []

    def take_part():
        all_of = peers.known(["limiter"], house.path)
        for peer in all_of:
            peer["folder"] = house.path / "build" / peer["name"]
        monkeypatch.setattr(peers, "known", lambda subjects: all_of)
        started.extend(peers.take_part(["limiter"], {"BENCH_KEYS": "64"}))
        return started

    yield take_part
    for running in {id(row["running"]): row["running"]
                    for row in started}.values():
        running.close()


def test_summary_is_median_and_quartiles():
    assert table.summary([5, 1, 4, 2, 3]) == (3, 2, 4)
    assert table.summary([11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) == (6, 3, 9)
    assert table.summary([7]) == (7, 7, 7)


def test_ratio_pairs_the_rounds():
    # A slow machine in the second round falls on both.
    assert table.ratio([10, 1000, 10], [5, 500, 5]) == 2
    # No pairs: medians.
    assert table.ratio([10, 20, 30], [10]) == 2
    assert table.ratio([10], [0]) is None


def test_numbers_have_three_figures():
    assert [table.number(value) for value in
            (0.304, 7.034, 9.996, 84.14, 99.96, 1550.4, -0.25, None)] == [
                "0.30", "7.03", "10.0", "84.1", "100", "1550", "-0.25", ""]


def rows():
    return [{"case": "one key", "who": "slow", "rounds": [30, 40, 50]},
            {"case": "one key", "who": "own", "rounds": [10, 20, 25],
             "is_base": True},
            {"case": "many keys", "who": "own", "rounds": [100, 100, 100],
             "is_base": True},
            {"case": "many keys", "who": "own, 2", "rounds": [200] * 3,
             "is_base": True},
            {"case": "many keys", "who": "slow", "rounds": [150, 160, 170]}]


def test_table_as_markdown():
    words = table.lines(table.compared(rows()))
    assert table.markdown(words).splitlines() == [
        "| case | who | median ns | quartiles | x own | x own, 2 |",
        "| --- | --- | --: | --: | --: | --: |",
        "| one key | own | 20.0 | 10.0 to 25.0 | 1.00 |  |",
        "|  | slow | 40.0 | 30.0 to 50.0 | 2.00 |  |",
        "| many keys | own | 100 | 100 to 100 | 1.00 | 0.50 |",
        "|  | own, 2 | 200 | 200 to 200 | 2.00 | 1.00 |",
        "|  | slow | 160 | 150 to 170 | 1.60 | 0.80 |"]


def test_table_as_text():
    words = table.lines(table.compared(rows()[:2]))
    assert table.text(words).splitlines() == [
        "case     who   median ns     quartiles  x own",
        "one key  own        20.0  10.0 to 25.0   1.00",
        "         slow       40.0  30.0 to 50.0   2.00"]


def test_rounds_of_all_peers(house, take_part):
    house("libmetering", [said("one key", "own", [1e6, 10, 12, 14],
                               is_base=True, count=100)])
    house("other", [said("one key", "other", [1e6, 30, 36, 42], count=100,
                         share=1),
                    said("refused", "other", [5], count=7, refuses=True,
                         share=0)])
    measured = peers.measure(take_part(), 3)
    # The first one is the warming up; what is named counts.
    assert [(row["who"], row["rounds"]) for row in measured] == [
        ("own", [10, 12, 14]), ("other", [30, 36, 42]),
        ("other", [5, 5, 5])]


def test_count_fills_a_round(house, take_part):
    house("other", [said("one key", "other", [1000])])
    rows_of = take_part()
    assert [row["ask"] for row in rows_of] == [peers.ROUND_NS / 1000]


def test_what_is_missing_is_skipped_and_said(house, take_part, capsys):
    house("libmetering", [said("one key", "own", [1], is_base=True,
                               count=1)])
    house("absent", [], needs=["no-such-tool-of-any-kind"])
    house("broken", [], build=[["false"]])
    house("dead", [said("one key", "dead", ["dies"], count=1)])
    house("sick", [said("one key", "sick", [1, 1, "dies"], count=1)])
    house("wrong", [said("one key", "wrong", [1], count=100, share=0.5)])
    house("wrong2", [said("refused", "wrong2", [1], count=100, share=0.5,
                          refuses=True)])
    measured = peers.measure(take_part(), 2)
    assert [row["who"] for row in measured] == ["own"]
    text = capsys.readouterr().err
    for line in ("skipped absent: no-such-tool-of-any-kind is not installed",
                 "skipped broken: false failed, see ",
                 "skipped dead: ended with status 3",
                 "skipped sick, one key: ended with status 3",
                 "skipped wrong, one key: 50% of its requests were allowed",
                 "skipped wrong2, refused: 50% of its requests were"):
        assert line in text


def test_results_are_compared(house, take_part):
    house("libmetering", [said("bill", "own", [1], count=1,
                               results=["1.00", "2.00", "3.00"])])
    house("a", [said("bill", "a", [1], count=1,
                     results=["1.00", "2.00", "3.00"])])
    house("b", [said("bill", "b", [1], count=1,
                     results=["1.00", "2.01", "3.00"])])
    house("c", [said("bill", "c", [1], count=1, results=["1.00"])])
    assert peers.agree(take_part(), 3) == [
        ("bill", "a", "own", []),
        ("bill", "b", "own", [(1, "2.01", "2.00")]),
        ("bill", "c", "own", [(1, "1 results", "3 results")])]


def test_every_peer_is_described():
    described = peers.known(["limiter", "rating", "ingest"])
    assert described[0]["name"] == "libmetering"
    for folder in sorted((TOP / "bench" / "peers").glob("*/")):
        entries = [peer for peer in described if peer["name"] == folder.name]
        assert entries, folder
        for peer in entries:
            assert peer["needs"] and peer["run"]


def test_the_command_knows_its_words():
    run = subprocess.run([sys.executable, TOP / "bench" / "run", "--peers",
                          "--keys", "1000"], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 2
    assert "--keys is a power of two" in run.stderr


def test_the_page_says_what_the_command_takes():
    """Every line of bench/README.md's first block."""
    text = (TOP / "bench" / "README.md").read_text()
    block, = re.findall(r"^```sh\n(.*?)^```$", text, re.S | re.M)
    command = types.ModuleType("run")
    exec((TOP / "bench" / "run").read_text(), vars(command))
    count = 0
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "bench/run":
            command.reader_of_arguments().parse_args(words[1:])
            count += 1
        else:
            assert (TOP / words[0]).is_file()
            assert words[1] in (TOP / words[0]).read_text()
    assert count > 4


def test_what_grows_is_drawn():
    rows = [{"case": "c", "ns": 100.0 * at, "plot": "threads",
             "series": "one key", "at": at} for at in (1, 2, 4)]
    rows += [{"case": "m", "ns": 0, "bytes_each": 65.0, "plot": "memory",
              "series": "a key", "at": at} for at in (1024, 4096)]
    images = report.growing(rows + [{"case": "other", "ns": 1}])
    assert set(images) == {"performance_scaling_threads.svg",
                           "performance_scaling_memory.svg"}
    for _, image in images.values():
        assert xml.dom.minidom.parseString(image)
    assert "one key" in images["performance_scaling_threads.svg"][1]


def measured(case, who, each, base=False):
    return {"case": case, "who": who, "rounds": [each] * 3, "is_base": base}


def test_report_has_every_row_and_draws_what_grows(tmp_path):
    few = table.compared([measured("many keys", "ours", 60, True),
                          measured("many keys", "<other> & co", 120)])
    many = table.compared([measured("many keys", "ours", 800, True),
                           measured("many keys", "<other> & co", 2400)])
    images = report.pictures(many, {1024: few, 1 << 20: many})
    assert set(images) == {"performance_many_keys.svg",
                           "performance_keys.svg"}
    report.write(tmp_path, "a machine", "a day",
                 [("Beside others", table.markdown(table.lines(many)))],
                 images)
    page = (tmp_path / "performance.md").read_text()
    assert "a machine" in page and "3.00" in page
    for name, (what, image) in images.items():
        assert f"![{what}]({name})" in page
        drawn = xml.dom.minidom.parseString(image)
        words = [node.firstChild.data
                 for node in drawn.getElementsByTagName("text")]
        assert "ours" in words and "<other> & co" in words
    # 60 and 800 ns, one above the other; 1,024 keys at the left end.
    path, = [node for node in xml.dom.minidom.parseString(
        images["performance_keys.svg"][1]).getElementsByTagName("path")
        if node.getAttribute("stroke-width") == "2.5"]
    first, last = [[float(number) for number in point.split()]
                   for point in path.getAttribute("d")[1:].split("L")]
    assert first[0] == report.LEFT < last[0] and first[1] > last[1]


def test_what_was_measured_once_has_no_quartiles():
    words = runpy.run_path(str(TOP / "bench" / "run"))["program_words"](
        [{"case": "open", "customers": 5, "ns": 6.5},
         {"case": "put", "ns": 3.0, "ns_low": 2.0, "ns_high": 4.0}])
    assert words[1:] == [["open", "", "6.5", "", "", "", "customers 5"],
                         ["put", "", "3.0", "2.0 to 4.0", "", "", ""]]


def test_report_leaves_out_what_has_one_row():
    alone = table.compared([measured("one key", "ours", 60, True)])
    assert not report.pictures(alone, {1024: alone})


def test_what_is_measured_in_bytes_alone_has_no_time():
    words = runpy.run_path(str(TOP / "bench" / "run"))["program_words"](
        [{"case": "mapped", "bytes": 7}])
    assert words[1] == ["mapped", "", "", "", "", "", "bytes 7"]
