"""Python's limits (in memory) beside libmetering: its fixed window and its
moving window, which keeps every hit. See bench/peers.py for the protocol.

The log of the moving window is as long as its limit, so its one key is another
one after every 1,000 hits: all are admitted, and the log is 500 long on
average. One thread: Python runs one at a time.
"""
import pathlib
import sys
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import peer_python as peer  # noqa: E402

LOG = 1000


class Case:
    def __init__(self, case, who, strategy, item, keys=1):
        self.said = {"case": case, "who": who, "refuses": "refused" in case}
        if strategy is MovingWindowRateLimiter and keys == 1 \
                and "refused" not in case:
            self.said["count"] = 20 * LOG
        self.strategy = strategy
        self.item = item
        self.keys = keys
        self.limiter = None
        self.names = []
        self.round = 0

    def prepare(self):
        self.limiter = self.strategy(MemoryStorage())
        self.names = [peer.key(i) for i in range(self.keys)]
        for name in self.names:
            self.limiter.hit(self.item, name)
        while "refused" in self.said["case"] \
                and self.limiter.hit(self.item, self.names[0]):
            pass

    def wanted(self, count):
        """The keys of a round, made before it is timed."""
        self.round += 1
        if self.keys > 1:
            mask = self.keys - 1
            return [self.names[z & mask]
                    for z in peer.randoms(count, self.round)]
        if "count" in self.said:
            return [f"consumer:{self.round}:{i // LOG:010}"
                    for i in range(count)]
        return self.names * count

    def run(self, count):
        if self.limiter is None:
            self.prepare()
        keys = self.wanted(count)
        hit = self.limiter.hit
        item = self.item
        allowed = 0
        began = time.process_time_ns()
        for key in keys:
            allowed += hit(item, key)
        return {"ns": time.process_time_ns() - began, "count": count,
                "allowed": allowed}


def main():
    fixed = ("python limits, fixed window", FixedWindowRateLimiter)
    moving = ("python limits, moving window", MovingWindowRateLimiter)
    hourly = limits.parse("5/hour")
    minutely = limits.parse("1000/minute")
    free = limits.parse("1000000000/second")
    cases = [Case("one key", *fixed, free),
             Case("one key", *moving, minutely),
             Case("many keys", *fixed, minutely, peer.KEYS),
             Case("many keys", *moving, minutely, peer.KEYS),
             Case("one key, refused", *fixed, hourly),
             Case("one key, refused", *moving, hourly)]
    peer.serve([case.said for case in cases],
                 lambda index, count: cases[index].run(count))


if __name__ == "__main__":
    main()
