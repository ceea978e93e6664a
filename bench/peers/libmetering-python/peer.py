"""Our own limiter, called from Python."""
import pathlib
import sys
import tempfile
import time
from array import array

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import peer_python as peer  # noqa: E402

import metering  # noqa: E402

WHO = "libmetering from Python"
BATCH = 256


class Case:
    """One key or many, decided one by one, as lists or over buffers."""

    def __init__(self, case, windows, keys=1, way="single"):
        self.ways = {"single": self.singly, "list": self.lists,
                     "buffer": self.buffers}
        who = {"single": WHO, "list": f"{WHO}, lists of {BATCH}",
               "buffer": f"{WHO}, buffers of {BATCH}"}[way]
        self.said = {"case": case, "who": who, "refuses": "refused" in case}
        self.windows = windows
        self.keys = keys
        self.way = self.ways[way]
        self.policy = None
        self.seed = 0

    def prepare(self, folder):
        path = f"{folder}/{id(self)}.map"
        self.limiter = metering.Limiter(path, capacity=self.keys * 4 + 4096)
        self.policy = self.limiter.policy("peer", self.windows)
        names = [peer.key(i) for i in range(self.keys)]
        for at in range(0, self.keys, BATCH):
            self.policy.check_many(names[at:at + BATCH])
        while self.said["refuses"] and self.policy.allow(names[0]):
            pass

    def run(self, count, folder):
        if self.policy is None:
            self.prepare(folder)
        self.seed += 1
        return self.way(peer.keys_of(self.keys, count, self.seed))

    def singly(self, keys):
        allow = self.policy.allow
        allowed = 0
        began = time.process_time_ns()
        for key in keys:
            allowed += allow(key)
        return {"ns": time.process_time_ns() - began, "count": len(keys),
                "allowed": allowed}

    def lists(self, keys):
        many = self.policy.check_many
        pieces = [keys[at:at + BATCH] for at in range(0, len(keys), BATCH)]
        allowed = 0
        began = time.process_time_ns()
        for piece in pieces:
            allowed += sum(many(piece))
        return {"ns": time.process_time_ns() - began, "count": len(keys),
                "allowed": allowed}

    def buffers(self, keys):
        check = self.policy.check_batch
        size = len(keys[0])
        offsets = array("I", range(0, (BATCH + 1) * size, size))
        pieces = ["".join(keys[at:at + BATCH]).encode()
                  for at in range(0, len(keys) // BATCH * BATCH, BATCH)]
        verdicts = array("I", [0] * BATCH)
        allowed = 0
        began = time.process_time_ns()
        for piece in pieces:
            check(piece, offsets, allowed=verdicts)
            allowed += sum(verdicts)
        return {"ns": time.process_time_ns() - began,
                "count": max(1, len(pieces) * BATCH), "allowed": allowed}


def main():
    free = metering.Window(1 << 20, 1_000_000)
    minutely = metering.Window.of(1000, 60)
    hourly = metering.Window.of(5, 3600)
    cases = [Case("one key", free), Case("one key", free, way="list"),
             Case("one key", free, way="buffer"),
             Case("many keys", minutely, peer.KEYS),
             Case("many keys", minutely, peer.KEYS, "list"),
             Case("many keys", minutely, peer.KEYS, "buffer"),
             Case("one key, refused", hourly)]
    where = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        peer.serve([case.said for case in cases],
                   lambda index, count: cases[index].run(count, folder))


if __name__ == "__main__":
    main()
