#!/usr/bin/env python3
"""docs/nginx.md is true: its configuration and its commands, with paths and
ports of a test in place of those of a machine, are a server that counts.

    METERING_NGINX_MODULE=... check_nginx.py PROGRAM

Ends with 77, skipped, where there is no nginx.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "tests" / "end_to_end"))
import nginx_host  # noqa: E402

# Before the page's own lines: what a test must have of its own.
OWN = """{user}daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
"""
OWN_HTTP = """http {{
    access_log off;
    client_body_temp_path {root}/t1;
    proxy_temp_path {root}/t2;
    fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4;
    scgi_temp_path {root}/t5;
    server {{ listen 127.0.0.1:{upstream}; location / {{ return 200 hello; }} }}
"""


def ask(port, path, key=None):
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"apikey": key} if key else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def main():
    nginx_host.skip_without_nginx()
    program = pathlib.Path(sys.argv[1]).resolve()
    page = (TOP / "docs" / "nginx.md").read_text()
    configuration, = re.findall(r"^```nginx\n(.*?)^```$", page, re.S | re.M)
    commands, = re.findall(r"(?<! -->\n)^```sh\n(.*?)^```$", page, re.S | re.M)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        port, upstream = nginx_host.free_port(), nginx_host.free_port()
        root.chmod(0o755)
        for old, new in (
                ("/usr/local/lib/nginx/modules/ngx_http_metering_module.so",
                 nginx_host.MODULE),
                ("/var/lib/metering", f"{root}/store"),
                ("listen 80;", f"listen 127.0.0.1:{port};"),
                ("127.0.0.1:8000", f"127.0.0.1:{upstream}"),
                ("http {\n", OWN_HTTP.format(root=root, upstream=upstream))):
            assert old in configuration, old
            configuration = configuration.replace(old, new)
        (root / "nginx.conf").write_text(OWN.format(
            root=root, user="user www-data;\n" if os.geteuid() == 0 else "")
            + configuration)
        for name in ("kong.yaml", "catalog.yaml"):
            shutil.copy(TOP / "examples" / "get_started" / name, root)
        (root / "bin").mkdir()
        os.symlink(program, root / "bin" / "metering")
        nginx = f"{shutil.which('nginx')} -c {root}/nginx.conf"
        (root / "bin" / "nginx").write_text(f"#!/bin/sh\nexec {nginx} \"$@\"\n")
        (root / "bin" / "nginx").chmod(0o755)
        path = dict(os.environ, PATH=f"{root}/bin:{os.environ['PATH']}")
        commands = commands.replace("/var/lib/metering", f"{root}/store")
        first, owner, test = commands.splitlines()
        check, reload = test.split(" && ")
        assert owner.startswith("chown -R www-data: ") and "reload" in reload

        def run(line):
            subprocess.run(["bash", "-c", line], cwd=root, env=path,
                           check=True)
        run(first)
        if os.geteuid() == 0:
            run(owner)
        run(check)
        server = subprocess.Popen(["nginx"], cwd=root, env=path,
                                  executable=root / "bin" / "nginx")
        try:
            pid = root / "nginx.pid"
            nginx_host.wait_until(lambda: pid.exists() and pid.read_text(),
                                  what="the pid file")
            run(reload)
            answer = ask(port, "/anything", "ariel-key")
            assert answer[0] == 200, (answer, (root / "error.log").read_text())
            assert ask(port, "/anything")[0] == 401
            status, body = ask(port, "/metering")
            assert status == 200 and json.loads(body)["requests"] >= 1, body
        finally:
            server.terminate()
            server.wait(30)
    print("nginx.md: a server that counts")


if __name__ == "__main__":
    main()
