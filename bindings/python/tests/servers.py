"""Starting real servers on loopback, and asking them."""
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on self.port."""

    def __init__(self, store, words, log):
        self.port = free_port()
        self.log = pathlib.Path(log)
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *[word.format(port=self.port)
                                         for word in words]],
                cwd=HERE, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                env={**os.environ, "STORE": str(store)})
        self.wait()

    def wait(self):
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.process.kill()
                    self.process.wait()
                    raise AssertionError(self.log.read_text()) from None
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def gunicorn(store, tmp_path, *words):
    return Server(store, ["gunicorn", "-b", "127.0.0.1:{port}", *words,
                          "apps:wsgi"], tmp_path / "gunicorn.log")


def uvicorn(store, tmp_path, *words):
    return Server(store, ["uvicorn", "--port", "{port}", "--log-level",
                          "warning", *words, "apps:asgi"],
                  tmp_path / "uvicorn.log")


def ask(port, path="/anything", key="ariel-key", method="GET", body=None):
    """(status, headers by lower-case name, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body,
                           {"apikey": key} if key else {})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def children(pid):
    """Processes that a process has started."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parent = re.search(r"\) \S (\d+)", text)
        if parent and int(parent[1]) == pid:
            found.append(int(stat.parent.name))
    return found
