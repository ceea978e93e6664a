"""Redis on this machine beside libmetering: INCR + EXPIRE (a fixed window, as
most gateways ask it) and a script with two weighted buckets.

"server" is the processor time of redis-server for one decision when a client
sends 100 at a time; "round trip" is what a client waits for one decision over
a Unix socket. See bench/peers.py for the protocol.
"""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import peer_python as peer  # noqa: E402

SCRIPT = """
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = math.floor(ms / window)
local this = KEYS[1] .. ':' .. bucket
local before = redis.call('GET', KEYS[1] .. ':' .. (bucket - 1))
local used = tonumber(redis.call('GET', this) or 0)
    + tonumber(before or 0) * (1 - ms % window / window)
if used >= limit then
    return 0
end
redis.call('INCR', this)
redis.call('PEXPIRE', this, 2 * window)
return 1
"""
PIPELINE = 100
HOUR_MS = 3_600_000


def command(*words):
    out = [f"*{len(words)}\r\n"]
    for word in words:
        out.append(f"${len(word)}\r\n{word}\r\n")
    return "".join(out).encode()


class Redis:
    def __init__(self, home):
        path = f"{home}/socket"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save",
             "", "--appendonly", "no", "--dir", home, "--daemonize", "no"],
            stdout=subprocess.DEVNULL)
        self.client = peer.connect(socket.AF_UNIX, path)
        self.input = self.client.makefile("rb")
        self.client.sendall(command("SCRIPT", "LOAD", SCRIPT))
        self.input.readline()
        self.sha = self.input.readline().strip().decode()
        self.any_key = "settling"
        self.client.sendall(command("SET", self.any_key, "1", "EX", "86400"))
        self.input.readline()

    def incr(self, key, limit, window_ms):
        """Two replies."""
        return (command("INCR", key)
                + command("EXPIRE", key, str(window_ms // 1000)))

    def script(self, key, limit, window_ms):
        """One reply."""
        return command("EVALSHA", self.sha, "1", key, str(limit),
                       str(window_ms))

    def ask(self, requests, limit, is_script):
        """How many of these were allowed."""
        self.client.sendall(b"".join(requests))
        allowed = 0
        for _ in requests:
            reply = self.input.readline()
            if not reply.startswith(b":"):
                raise ValueError(reply)
            number = int(reply[1:])
            if is_script:
                allowed += number
            else:
                self.input.readline()
                allowed += number <= limit
        return allowed

    def settle(self, key, count):
        """A table that has just grown moves one bucket a command, at the cost
        of whoever asks: these commands take it upon them."""
        for _ in range(0, count, 1000):
            self.client.sendall(command("EXISTS", key) * 1000)
            self.input.read(len(b":1\r\n") * 1000)

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()


class Case:
    def __init__(self, name, is_script, is_trip, limit, window_ms, many=1):
        how = "script" if is_script else "INCR + EXPIRE"
        self.said = {"case": name, "cpus": 2,
                     "who": f"Redis {how}, "
                            + ("round trip" if is_trip else "server"),
                     "refuses": "refused" in name,
                     "count": 2000 if is_trip else 20000}
        self.is_script = is_script
        self.is_trip = is_trip
        self.limit = limit
        self.window_ms = window_ms
        self.many = many
        self.asked = 0

    def requests(self, redis, keys):
        make = redis.script if self.is_script else redis.incr
        prefix = f"{self.said['case']}:{self.is_script}:{self.is_trip}:"
        return [make(prefix + key, self.limit, self.window_ms)
                for key in keys]

    def send(self, redis, keys, size):
        """(processor time, wall time, allowed), in parts of `size`."""
        cpu = wall = allowed = 0
        for i in range(0, len(keys), size):
            requests = self.requests(redis, keys[i:i + size])
            cpu_began = peer.cpu_ns(redis.process.pid)
            began = time.perf_counter_ns()
            allowed += redis.ask(requests, self.limit, self.is_script)
            wall += time.perf_counter_ns() - began
            cpu += peer.cpu_ns(redis.process.pid) - cpu_began
        return cpu, wall, allowed

    def run(self, redis, count):
        if self.asked == 0:
            for first in range(0, self.many, 1 << 16):
                self.send(redis, [peer.key(i) for i in range(
                    first, min(first + (1 << 16), self.many))], PIPELINE)
            if self.many > 1:
                redis.settle(redis.any_key, 3 * self.many)
        self.asked += 1
        keys = peer.keys_of(self.many, count, self.asked)
        cpu, wall, allowed = self.send(redis, keys,
                                       1 if self.is_trip else PIPELINE)
        return {"ns": wall if self.is_trip else cpu, "count": count,
                "allowed": allowed}


def main():
    free = (1 << 40, 60_000)
    cases = [Case("one key", False, False, *free),
             Case("one key", True, False, *free),
             Case("one key", False, True, *free),
             Case("one key", True, True, *free),
             # By the hour: keys that expire on the way would cost the others.
             Case("many keys", False, False, 60_000, HOUR_MS, peer.KEYS),
             Case("many keys", True, False, 60_000, HOUR_MS, peer.KEYS),
             Case("one key, refused", False, False, 5, HOUR_MS),
             Case("one key, refused", True, False, 5, HOUR_MS)]
    home = tempfile.mkdtemp(prefix="bench-redis-")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        redis = stack.enter_context(contextlib.closing(Redis(home)))
        peer.serve([case.said for case in cases],
                     lambda index, count: cases[index].run(redis, count))


if __name__ == "__main__":
    main()
