"""Builds, starts and asks the peers: other programs that do the same work.

A peer is a folder of bench/peers/ with a peer.json: a list of
{"subject", "needs": [commands], "build": [[words], ...], "run": [words]}, where
{source} is its folder, {build} a folder of its own, {release} the release
build of the library and {top} the project.

What runs speaks one protocol. It says first, on one line,
    {"cases": [{"case", "who", "cpus"?, "is_base"?, "count"?, "refuses"?}, ...]}
and then answers every line "INDEX COUNT" of its standard input with one line
    {"ns", "count", "allowed"?}
the nanoseconds of processor time that `count` operations of case INDEX took,
for each thread when there are several; where waiting is the point, of the wall
clock, and "who" says so. A case that names its count is always asked for that
many. Asked "INDEX COUNT results" it adds
"results", a list of strings that everybody who does the case must agree on.
It ends when its input does. Its environment has the sizes of the work:
BENCH_KEYS of a limiter, BENCH_KNOWN ids of ingest.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
RELEASE = TOP / "build" / "release"
ROUND_NS = 40_000_000


class Skip(Exception):
    """This peer cannot take part; says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def described(folder):
    """The entries of one peer.json, with their words filled in."""
    where = {"source": folder, "build": TOP / "build" / "peers" / folder.name,
             "release": RELEASE, "top": TOP}

    def filled(words):
        return [word.format(**where) for word in words]

    entries = json.loads((folder / "peer.json").read_text())
    return [{"name": folder.name, "subject": entry["subject"],
             "needs": entry["needs"], "folder": where["build"],
             "build": [filled(words) for words in entry["build"]],
             "run": filled(entry["run"])} for entry in entries]


def known(subjects, folder=TOP / "bench" / "peers"):
    """Ours first, the others by name."""
    all_of = [entry for path in sorted(folder.glob("*/peer.json"))
              for entry in described(path.parent)
              if entry["subject"] in subjects]
    return sorted(all_of, key=lambda entry: entry["name"] != "libmetering")


def build(peer):
    """Raises Skip when a tool is missing or a step fails."""
    for tool in peer["needs"]:
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin") is None:
            raise Skip(f"{tool} is not installed")
    peer["folder"].mkdir(parents=True, exist_ok=True)
    log = peer["folder"] / "build.log"
    with log.open("wb") as out:
        for words in peer["build"]:
            if subprocess.run(words, cwd=peer["folder"], stdout=out,
                              stderr=out, stdin=subprocess.DEVNULL,
                              check=False).returncode != 0:
                raise Skip(f"{pathlib.Path(words[0]).name} failed, see {log}")


class Running:
    """One peer's process, on as many processors as its cases want."""

    def __init__(self, peer, cpus, sizes):
        mine = sorted(os.sched_getaffinity(0))
        words = list(peer["run"])
        if shutil.which("taskset"):
            chosen = mine[-1:] if cpus == 1 else mine
            words = ["taskset", "-c", ",".join(map(str, chosen))] + words
        self.name = peer["name"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **sizes,
                 "PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.cases = self.read()["cases"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Skip(f"ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, index, count, *more):
        words = " ".join(map(str, (index, count) + more))
        try:
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.read()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def check(case, answer):
    """A benchmark that measures refusals without knowing it is worthless."""
    if "allowed" not in answer:
        return
    share = answer["allowed"] / answer["count"]
    if share > 0.01 if case.get("refuses") else share < 0.99:
        raise Skip(f"{share:.0%} of its requests were allowed")


def warm(running, index):
    """How many operations fill a round; the first ones also fill caches."""
    case = running.cases[index]
    if "count" in case:
        running.ask(index, case["count"])
        return case["count"]
    count = 64
    while True:
        answer = running.ask(index, count)
        if answer["ns"] >= ROUND_NS / 8:
            return max(1, int(ROUND_NS * answer["count"] / answer["ns"]))
        count *= 4


def start(peer, sizes):
    """Every case of a peer with the process that will be asked for it."""
    first = Running(peer, 1, sizes)
    wide = None
    out = []
    try:
        for index, case in enumerate(first.cases):
            running = first
            if case.get("cpus", 1) > 1:
                if len(os.sched_getaffinity(0)) < case["cpus"]:
                    say(f"skipped {peer['name']}, {case['case']}: needs "
                        f"{case['cpus']} processors")
                    continue
                wide = wide or Running(peer, case["cpus"], sizes)
                running = wide
            out.append({**case, "running": running, "index": index,
                        "rounds": [], "ask": warm(running, index)})
    except Skip:
        for running in filter(None, (first, wide)):
            running.close()
        raise
    return out


def measure(rows, rounds):
    """Round by round in turn, each time beginning with another row, so that
    what the machine does otherwise falls on all. A peer that fails on the
    way loses its rows and nobody else's."""
    for case in dict.fromkeys(row["case"] for row in rows):
        for turn in range(rounds):
            here = [row for row in rows
                    if row["case"] == case and "failed" not in row]
            for i in range(len(here)):
                row = here[(i + turn) % len(here)]
                try:
                    answer = row["running"].ask(row["index"], row["ask"])
                    check(row, answer)
                    row["rounds"].append(answer["ns"] / answer["count"])
                except Skip as why:
                    row["failed"] = True
                    say(f"skipped {row['who']}, {case}: {why}")
    return [row for row in rows if "failed" not in row]


def agree(rows, count):
    """Results of `count` operations, compared with those of the first who
    does a case: [(case, who, first who, [(i, result, first result)])]."""
    out = []
    for case in dict.fromkeys(row["case"] for row in rows
                              if row.get("has_results")):
        here = [row for row in rows
                if row["case"] == case and row.get("has_results")]
        first = None
        for row in here:
            try:
                results = row["running"].ask(row["index"], count,
                                             "results")["results"]
            except Skip as why:
                row["failed"] = True
                say(f"skipped {row['who']}, {case}: {why}")
                continue
            if first is None:
                first = (row["who"], results)
                continue
            differing = [(i, mine, theirs) for i, (mine, theirs)
                         in enumerate(zip(results, first[1]))
                         if mine != theirs]
            if len(results) != len(first[1]):
                differing.append((min(len(results), len(first[1])),
                                  f"{len(results)} results",
                                  f"{len(first[1])} results"))
            out.append((case, row["who"], first[0], differing))
    return out


def take_part(subjects, sizes):
    """Builds and starts all peers; says who is skipped, and why."""
    rows = []
    for peer in known(subjects):
        say(f"building {peer['name']}")
        try:
            build(peer)
            rows += start(peer, sizes)
        except Skip as why:
            say(f"skipped {peer['name']}: {why}")
    return rows
