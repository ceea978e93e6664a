"""For peers in Python: processor time of servers, random keys, the protocol."""
import json
import os
import socket
import sys
import time

KEYS = int(os.environ.get("BENCH_KEYS", 1 << 20))
MASK64 = (1 << 64) - 1


def cpu_ns(pid):
    """Processor time of a process, all its threads, from outside."""
    return time.clock_gettime_ns((~pid) << 3 | 2)


def key(i):
    return f"consumer:{i:015}"


def randoms(count, state):
    """SplitMix64: the same keys in every peer."""
    for _ in range(count):
        state = state + 0x9E3779B97F4A7C15 & MASK64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        yield z ^ z >> 31


def keys_of(many, count, seed):
    """`count` keys out of `many`."""
    if many == 1:
        return [key(0)] * count
    return [key(z & many - 1) for z in randoms(count, seed)]


def connect(family, address, seconds=10):
    """A server needs a moment to begin to listen."""
    end = time.monotonic() + seconds
    while True:
        client = socket.socket(family, socket.SOCK_STREAM)
        try:
            client.connect(address)
            return client
        except OSError:
            client.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def serve(cases, run):
    """The protocol of bench/peers.py; run(index, count, ...) answers."""
    print(json.dumps({"cases": cases}), flush=True)
    for line in sys.stdin:
        index, count, *words = line.split()
        print(json.dumps(run(int(index), int(count), *words)), flush=True)
