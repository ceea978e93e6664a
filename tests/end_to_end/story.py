"""What the end-to-end tests share: the programs, the story's files, stores."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORY = ROOT / "examples" / "get_started"
TOOL = os.environ.get("METERING_TOOL", "metering")
GATEWAY = os.environ.get("METERING_GATEWAY", "gateway")


def fast_directory():
    """Where files are in memory, when there is room: for tests that would wait
    for a disk thousands of times, and that the power leaves alone."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 10 ** 9:
        return memory
    return None


def metering(store, *words, status=0):
    """stdout of the command; the exit status must be as expected."""
    done = subprocess.run([TOOL, "-d", str(store), *map(str, words)],
                          capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout,
                                       done.stderr)
    return done.stdout


def metering_json(store, *words):
    return json.loads(metering(store, *words, "--json"))


def usage(store, subject=None, group_by=(), start="2026-01-01T00:00:00Z",
          end="2026-02-01T00:00:00Z"):
    """{group values or (): requests}."""
    words = ["usage", "query", "--meter", "api_requests", "--from", start,
             "--to", end]
    if subject:
        words += ["--subject", subject]
    if group_by:
        words += ["--group-by", ",".join(group_by)]
    found = {}
    for row in metering_json(store, *words)["data"]:
        group = tuple(row["subject"] if name == "subject"
                      else row["dimensions"][name] for name in group_by)
        found[group] = found.get(group, 0) + int(row["value"])
    return found


class Gateway:
    """The example gateway as a process."""

    def __init__(self, store, threads=2, words=()):
        self.process = subprocess.Popen(
            [GATEWAY, "-d", str(store), "--threads", str(threads), *words],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        if not found:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the gateway did not start: {line!r}")
        self.port = int(found.group(1))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        return status
