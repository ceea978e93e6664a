#!/usr/bin/env python3
"""Another nginx takes the place of a running one under load (USR2, WINCH,
QUIT), and one gives its place back: what was answered with 200 is what was
counted.

The new master begins as a child of the old one, inherits its sockets and starts
workers of its own, so that for a while two generations serve and settle."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

import nginx_host
import nginx_load_test
import story


class Daemon(nginx_host.Nginx):
    """As it is run in earnest: only a daemon gives its place to another."""

    group = None  # of all masters and workers

    def command(self, *words):
        # It starts itself again, and looks for itself in no PATH.
        return [shutil.which("nginx"), *super().command(*words)[1:]]

    def write(self, **parts):
        super().write(**parts)
        path = self.root / "nginx.conf"
        path.write_text(path.read_text().replace("daemon off;", "daemon on;"))

    def is_up(self):
        with contextlib.suppress(OSError):
            return self.ask("/status")[0] == 200
        return False

    def start(self):
        self.write()
        subprocess.run(self.command(), check=True, timeout=60)
        nginx_host.wait_until(self.master, what="the pid of nginx")
        self.group = self.master()
        nginx_host.wait_until(self.is_up, what="nginx listening")

    def kill(self):
        with contextlib.suppress(OSError, TypeError):
            os.killpg(self.group, signal.SIGKILL)

    def master(self, name="nginx.pid"):
        with contextlib.suppress(OSError, ValueError):
            return int((self.root / name).read_text())
        return None


def is_alive(pid):
    with contextlib.suppress(OSError):
        state = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return state.rsplit(")", 1)[1].split()[0] != "Z"
    return False


def begin(nginx):
    """The old master and the new one, which has workers."""
    old = nginx.master()
    os.kill(old, signal.SIGUSR2)
    nginx_host.wait_until(
        lambda: nginx.master("nginx.pid.oldbin") == old
        and nginx.master() not in (None, old)
        and len(nginx.worker_pids(nginx.master())) == nginx.workers,
        what="workers of the new nginx")
    new = nginx.master()
    os.kill(old, signal.SIGWINCH)
    nginx_host.wait_until(lambda: not nginx.worker_pids(old),
                          what="the end of the old workers")
    return old, new


def upgrade(nginx):
    old, _ = begin(nginx)
    os.kill(old, signal.SIGQUIT)
    nginx_host.wait_until(lambda: not is_alive(old),
                          what="the end of the old master")


def go_back(nginx):
    old, new = begin(nginx)
    os.kill(old, signal.SIGHUP)
    nginx_host.wait_until(
        lambda: len(nginx.worker_pids(old)) == nginx.workers,
        what="workers of the old nginx again")
    os.kill(new, signal.SIGQUIT)
    nginx_host.wait_until(lambda: not is_alive(new) and nginx.master() == old,
                          what="the end of the new master")


def run(nginx, names):
    """What was answered while masters come and go, however long that takes."""
    answers, is_over = [], threading.Event()

    def ask():
        while not is_over.is_set():
            answers.append(nginx_load_test.load(nginx, 1, names, threads=8))
    client = threading.Thread(target=ask)
    client.start()
    try:
        masters = {nginx.master()}
        for change in (upgrade, go_back, upgrade):
            change(nginx)
            masters.add(nginx.master())
    finally:
        is_over.set()
        client.join()
    assert len(masters) == 3, masters
    return nginx_load_test.add_up(*answers)


def main():
    nginx_host.skip_without_nginx()
    names = [*nginx_load_test.FREE, "bought"]
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        store = root / "store"
        nginx_load_test.write_entities(root, 0)
        story.metering(store, "apply", root / "kong.yaml",
                       root / "catalog.yaml")
        upstream = nginx_host.Nginx(
            root / "upstream",
            'location / { return 200 "from upstream\n"; }',
            http="access_log off;")
        with upstream, Daemon(
                root / "nginx",
                "location / { metering on; proxy_pass http://127.0.0.1:"
                f"{upstream.port}; }}",
                http="access_log off;", store=store, workers=2) as nginx:
            answers = run(nginx, names)
            told = nginx.status()
            last = nginx.master()
            os.kill(last, signal.SIGQUIT)
            nginx_host.wait_until(lambda: not is_alive(last),
                                  what="the end of nginx")
            log = nginx.log()
        story.metering(store, "settle")
        counted = nginx_load_test.used(store)
        nginx_load_test.check_answers(answers)
        good = {name: counts.get(200, 0) for name, counts in answers.items()}
        # A connection that is closed while it waits takes its next request
        # along; that one was never read.
        broken = sum(counts["broken"] for counts in answers.values())
        print(f"three changes of master: {sum(good.values())} answered, "
              f"{sum(counted.values())} counted, {broken} broken")
        assert sum(good.values()) > 0, answers
        assert counted == good, (counted, answers)
        assert good["bought"] <= nginx_load_test.ALLOWANCE
        assert told["lost"] == 0 and told["failed_open"] == 0, told
        for line in log.splitlines():
            assert "[alert]" not in line and "[emerg]" not in line, line
        assert story.metering(store, "check", "--field",
                              "damaged").strip() == "0"


if __name__ == "__main__":
    main()
