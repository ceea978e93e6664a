"""A real nginx with the module, as the tests start it: on loopback, in a
directory of its own, with a small upstream behind it."""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

MODULE = os.environ.get("METERING_NGINX_MODULE", "")
SKIPPED = 77


def skip_without_nginx():
    """Exits as skipped when there is nothing to test with."""
    if not pathlib.Path(MODULE).is_file() or not shutil.which("nginx"):
        print("skipped: no nginx, or no module for it "
              "(apt-get install nginx nginx-dev)")
        raise SystemExit(SKIPPED)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds=20, what="the condition"):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true")
        time.sleep(0.02)


MAIN = """
daemon off;
{user}
worker_processes {workers};
pid {root}/nginx.pid;
error_log {root}/error.log info;
load_module {module};
thread_pool default threads=2 max_queue=64;
{main}
events {{ worker_connections 1024; }}
http {{
    access_log {root}/access.log;
    client_body_temp_path {root}/t1;
    proxy_temp_path {root}/t2;
    fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4;
    scgi_temp_path {root}/t5;
    keepalive_requests 1000000;
    {store}
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {status}
        {server}
    }}
}}
"""


STATUS = """location = /status { metering_status; }
        location = /metrics { metering_status prometheus; }"""


class Nginx:
    """One master and its workers."""

    def __init__(self, root, server, *, store=None, http="", main="",
                 workers=1, is_started=True):
        self.root = pathlib.Path(root)
        self.root.mkdir(exist_ok=True)
        self.store = store
        self.workers = workers
        self.parts = {"server": server, "http": http, "main": main}
        self.port = free_port()
        self.process = None
        if is_started:
            self.start()

    def write(self, **parts):
        self.parts.update(parts)
        text = MAIN.format(
            user="user root;" if os.getuid() == 0 else "", root=self.root,
            module=MODULE, workers=self.workers, port=self.port,
            status=STATUS if self.store else "",
            store=f"metering_store {self.store};" if self.store else "",
            **self.parts)
        (self.root / "nginx.conf").write_text(text)

    def command(self, *words):
        return ["nginx", "-p", str(self.root), "-c",
                str(self.root / "nginx.conf"), "-e",
                str(self.root / "error.log"), *words]

    def test(self, **parts):
        """(status, stderr) of nginx -t."""
        self.write(**parts)
        done = subprocess.run(self.command("-t"), capture_output=True,
                              text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx ended: " + self.log())
        # Not only the port: the one who took it may answer there.
        if not (self.root / "nginx.pid").exists():
            return False
        with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", self.port), timeout=5):
            return len(self.worker_pids()) == self.workers
        return False

    def start(self):
        """On another port when somebody else was faster to take this one."""
        for _ in range(5):
            self.write()
            self.process = subprocess.Popen(self.command(),
                                            start_new_session=True)
            try:
                wait_until(self.is_up, what="nginx listening")
                return
            except AssertionError:
                self.kill()
                if "Address already in use" not in self.log():
                    raise
                (self.root / "error.log").write_text("")
                self.port = free_port()
        raise AssertionError("no port for nginx")

    def log(self):
        with contextlib.suppress(OSError):
            return (self.root / "error.log").read_text(errors="replace")
        return ""

    def worker_pids(self, master=None):
        master = master or self.process.pid
        path = f"/proc/{master}/task/{master}/children"
        pids = []
        for pid in pathlib.Path(path).read_text().split():
            with contextlib.suppress(OSError):
                name = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
                if "worker process" in name and "shutting" not in name:
                    pids.append(int(pid))
        return pids

    def send(self, number):
        self.process.send_signal(number)

    def reload(self, **parts):
        """New workers; returns when the old ones have ended or are ending."""
        old = set(self.worker_pids())
        self.write(**parts)
        self.send(signal.SIGHUP)
        wait_until(lambda: len(set(self.worker_pids()) - old) >= self.workers,
                   what="new workers")

    def stop(self, number=signal.SIGQUIT):
        self.send(number)
        status = self.process.wait(timeout=60)
        assert status == 0, (status, self.log())

    def kill(self):
        """Whatever happened to the test: nothing of it stays."""
        if self.process is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def ask(self, path, key=None, method="GET", body=None, headers=(),
            query=None):
        """(status, headers, body). headers: pairs, repeated ones too."""
        client = http.client.HTTPConnection("127.0.0.1", self.port,
                                            timeout=30)
        target = path + ("?" + query if query is not None else "")
        client.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            client.putheader(name, value)
        if key is not None:
            client.putheader("apikey", key)
        if body is not None:
            client.putheader("Content-Length", str(len(body)))
        client.endheaders(body)
        answer = client.getresponse()
        got = answer.status, answer.headers, answer.read()
        client.close()
        return got

    def status(self):
        return json.loads(self.ask("/status")[2])


class Upstream:
    """Keeps what it was asked. /fails answers 500, /tokens says how many."""

    def __init__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                size = int(self.headers.get("Content-Length") or 0)
                seen.append((self.path, self.headers, self.rfile.read(size)))
                body = b"from upstream\n"
                self.send_response(500 if "/fails" in self.path else 200)
                self.send_header("Content-Length", str(len(body)))
                if "/tokens" in self.path:
                    self.send_header("X-Tokens", self.path.split("=")[-1])
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_POST = do_HEAD = do_OPTIONS = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
