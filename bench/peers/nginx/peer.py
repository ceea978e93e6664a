"""nginx's limit_req (leaky bucket) beside libmetering: the processor time of a
worker for a request that passes limit_req, less that of the same request in a
place without it, sent in turn over one connection, 100 at a time.

With one key a request passes eight zones and an eighth of the difference is
given, for one alone drowns in what a request costs. Refusals are a dry run, so
that both requests are answered alike. See bench/peers.py for the protocol.
"""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import peer_python as peer  # noqa: E402

ZONES = 8
PIPELINE = 100
COUNT = 10_000
WHO = "nginx limit_req, worker"


def config(home):
    zones = []
    for i in range(ZONES):
        zones.append(f"limit_req_zone $arg_k zone=free{i}:1m "
                     "rate=1000000r/s;")
        zones.append(f"limit_req_zone $arg_k zone=refused{i}:1m rate=1r/m;")
    megabytes = peer.KEYS * 160 // (1 << 20) + 8
    zones.append(f"limit_req_zone $arg_k zone=many:{megabytes}m "
                 "rate=1000r/m;")
    free = "".join(f"limit_req zone=free{i} burst=1000000 nodelay;"
                   for i in range(ZONES))
    refused = "limit_req_dry_run on;" + "".join(
        f"limit_req zone=refused{i};" for i in range(ZONES))
    many = "limit_req zone=many burst=1000 nodelay;"
    status = "add_header X-Status $limit_req_status;"
    places = {"without": "", "free": free, "refused": refused, "many": many,
              "free-status": free + status, "many-status": many + status,
              "refused-status": refused + status}
    return f"""
daemon off; pid {home}/pid; error_log {home}/error.log emerg;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    {' '.join(zones)}
    server {{
        listen unix:{home}/socket;
        {' '.join(f'location = /{name} {{ {text} empty_gif; }}'
                  for name, text in places.items())}
    }}
}}
"""


def child_of(parent):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == parent:
                return int(entry)
    raise RuntimeError("nginx has no worker")


class Nginx:
    def __init__(self, home):
        pathlib.Path(f"{home}/conf").write_text(config(home))
        self.process = subprocess.Popen(
            ["nginx", "-p", home, "-c", f"{home}/conf"],
            stderr=subprocess.DEVNULL)
        self.client = peer.connect(socket.AF_UNIX, f"{home}/socket")
        self.input = self.client.makefile("rb")
        self.status("free")
        self.worker = child_of(self.process.pid)

    def ask(self, place, keys):
        """Answers of one length each, which the first one tells."""
        self.client.sendall("".join(
            f"GET /{place}?k={key} HTTP/1.1\r\nHost: bench\r\n\r\n"
            for key in keys).encode())
        size = 0
        body = 0
        first = []
        while True:
            line = self.input.readline()
            size += len(line)
            if line == b"\r\n":
                break
            first.append(line.decode().strip())
            if line.lower().startswith(b"content-length:"):
                body = int(line.split(b":")[1])
        size += body
        rest = body + size * (len(keys) - 1)
        if len(self.input.read(rest)) != rest or " 200 " not in first[0]:
            raise ValueError(first)
        return first

    def status(self, place):
        """What limit_req says about one more request."""
        lines = self.ask(f"{place}-status", [peer.key(0)])
        return next(line.split(": ")[1] for line in lines
                    if line.startswith("X-Status"))

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()


class Case:
    def __init__(self, name, place, many, zones):
        self.said = {"case": name, "who": WHO, "count": COUNT,
                     "refuses": "refused" in name, "cpus": 2}
        self.place = place
        self.many = many
        self.zones = zones
        self.asked = 0

    def run(self, nginx, count):
        if self.asked == 0 and self.many > 1:
            for i in range(0, self.many, PIPELINE):
                nginx.ask(self.place, [peer.key(k) for k in range(
                    i, min(i + PIPELINE, self.many))])
        self.asked += 1
        keys = peer.keys_of(self.many, count, self.asked)
        spent = {self.place: 0, "without": 0}
        for i in range(0, count, PIPELINE):
            for place in spent:
                began = peer.cpu_ns(nginx.worker)
                nginx.ask(place, keys[i:i + PIPELINE])
                spent[place] += peer.cpu_ns(nginx.worker) - began
        is_passed = nginx.status(self.place) == "PASSED"
        return {"ns": (spent[self.place] - spent["without"]) / self.zones,
                "count": count, "allowed": count if is_passed else 0}


def main():
    cases = [Case("one key", "free", 1, ZONES),
             Case("many keys", "many", peer.KEYS, 1),
             Case("one key, refused", "refused", 1, ZONES)]
    home = tempfile.mkdtemp(prefix="bench-nginx-")
    os.chmod(home, 0o711)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        nginx = stack.enter_context(contextlib.closing(Nginx(home)))
        peer.serve([case.said for case in cases],
                     lambda index, count: cases[index].run(nginx, count))


if __name__ == "__main__":
    main()
