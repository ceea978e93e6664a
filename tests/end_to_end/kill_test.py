#!/usr/bin/env python3
"""kill -9 of the gateway under load, again and again on one store.

    kill_test.py KILLS

What every kill may do: leave at most one request for each thread of the
gateway counted that nobody saw answered. What it may never do: lose one that
was answered. So usage is at least the answers 200 and at most that plus kills
times threads."""
import datetime
import pathlib
import random
import socket
import sys
import tempfile
import threading
import time

import story

THREADS = 2   # of the gateway
CLIENTS = 4
REQUEST = (b"GET /anything HTTP/1.1\r\nHost: localhost\r\n"
           b"apikey: load-key\r\n\r\n")


class Client(threading.Thread):
    """Sends one request after the other on one connection until it breaks."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.answered = 0
        self.others = 0

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port)) as peer:
                peer.settimeout(30)
                pending = b""
                while True:
                    peer.sendall(REQUEST)
                    status, pending = self.read_answer(peer, pending)
                    if status == b"200":
                        self.answered += 1
                    else:
                        self.others += 1
        except OSError:
            pass  # killed

    @staticmethod
    def read_answer(peer, pending):
        """A whole answer, or OSError."""
        while b"\r\n\r\n" not in pending:
            pending += Client.receive(peer)
        head, pending = pending.split(b"\r\n\r\n", 1)
        size = 0
        for line in head.split(b"\r\n")[1:]:
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                size = int(value)
        while len(pending) < size:
            pending += Client.receive(peer)
        return head.split(b" ")[1], pending[size:]

    @staticmethod
    def receive(peer):
        data = peer.recv(65536)
        if not data:
            raise OSError("closed")
        return data


def minute_text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:00Z")


def counted(store, begin):
    end = datetime.datetime.now(datetime.timezone.utc) \
        + datetime.timedelta(minutes=2)
    story.metering(store, "settle")
    return sum(story.usage(store, "consumer:load", start=minute_text(begin),
                           end=minute_text(end)).values())


def unlimited(directory):
    """The story's load, with a limit that no machine reaches: a million in a
    minute is what a fast one does."""
    text = (story.STORY / "load.yaml").read_text()
    assert text.count("minute: 1000000") == 1
    path = directory / "load.yaml"
    path.write_text(text.replace("minute: 1000000", "second: 1000000"))
    return path


def main():
    kills = int(sys.argv[1])
    chance = random.Random(20260101)
    begin = datetime.datetime.now(datetime.timezone.utc)
    answered = others = 0
    with tempfile.TemporaryDirectory(dir=story.fast_directory()) as name:
        store = pathlib.Path(name) / "store"
        story.metering(store, "apply", *(story.STORY / file for file in (
            "kong.yaml", "catalog.yaml")), unlimited(pathlib.Path(name)))
        for number in range(kills):
            if number % 8 == 7:  # or the files of the dead pile up
                story.metering(store, "settle")
            gateway = story.Gateway(store, THREADS)
            clients = [Client(gateway.port) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0.01, 0.15))
            gateway.kill()
            for client in clients:
                client.join(60)
                assert not client.is_alive()
                answered += client.answered
                others += client.others
        assert others == 0, f"{others} requests were refused"
        # Another one lives and is closed in order: everything settles.
        assert story.Gateway(store, THREADS).stop() == 0
        usage = counted(store, begin)
        damaged = story.metering_json(store, "check")["damaged"]
    print(f"{kills} kills, {answered} answered 200, {usage} counted")
    assert answered > kills, "there was no load"
    assert usage >= answered, f"{answered - usage} answered and not counted"
    assert usage <= answered + kills * THREADS, "counted and never answered"
    assert damaged == 0


if __name__ == "__main__":
    main()
