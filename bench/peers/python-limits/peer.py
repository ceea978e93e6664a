"""Python's limits (in memory) beside libmetering: its fixed window and its
moving window, which keeps every hit. See bench/peers.py for the protocol.

The log of the moving window is as long as its limit, so its one key is another
one after every 1,000 hits: all are admitted, and the log is 500 long on
average. One thread: Python runs one at a time.
"""
import json
import os
import sys
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

KEYS = int(os.environ.get("BENCH_KEYS", 1 << 20))
MASK64 = (1 << 64) - 1
LOG = 1000


def randoms(count, state):
    """SplitMix64: the same keys in every peer."""
    for _ in range(count):
        state = state + 0x9E3779B97F4A7C15 & MASK64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        yield z ^ z >> 31


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
        self.names = [f"consumer:{i:015}" for i in range(self.keys)]
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
                    for z in randoms(count, self.round)]
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
             Case("many keys", *fixed, minutely, KEYS),
             Case("many keys", *moving, minutely, KEYS),
             Case("one key, refused", *fixed, hourly),
             Case("one key, refused", *moving, hourly)]
    print(json.dumps({"cases": [case.said for case in cases]}), flush=True)
    for line in sys.stdin:
        index, count = map(int, line.split()[:2])
        print(json.dumps(cases[index].run(count)), flush=True)


if __name__ == "__main__":
    main()
