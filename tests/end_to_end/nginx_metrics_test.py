#!/usr/bin/env python3
"""promtool reads the page of metrics and finds nothing to blame: before there
is a store, and with one that has served every kind of answer.

Skipped without promtool (apt-get install prometheus)."""
import shutil
import subprocess
import tempfile

import nginx_host
import nginx_test

SERVER = "location / { metering on; proxy_pass UPSTREAM; }"


def check_page(nginx, *lines):
    status, headers, page = nginx.ask("/metrics")
    assert status == 200, page
    assert headers["Content-Type"] == "text/plain; version=0.0.4", headers
    for line in lines:
        assert line in page.decode().splitlines(), (line, page.decode())
    done = subprocess.run(["promtool", "check", "metrics"], input=page,
                          capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, (done.stdout, done.stderr, page.decode())
    return page.count(b"# TYPE ")


def main():
    nginx_host.skip_without_nginx()
    if not shutil.which("promtool"):
        print("skipped: no promtool (apt-get install prometheus)")
        raise SystemExit(nginx_host.SKIPPED)
    with tempfile.TemporaryDirectory() as root, nginx_host.Nginx(
            root, "location / { metering on; }",
            store=root + "/nothing") as nginx:
        nginx.ask("/x")
        few = check_page(nginx, "metering_nginx_unavailable_total 1")
    with nginx_test.house(SERVER) as made:
        for key in (None, "nobody-key", "ada-key", "ada-key"):
            made.ask("/x", key)
        nginx_host.wait_until(lambda: made.nginx.status()["store"],
                              what="the store's own metrics")
        many = check_page(
            made.nginx, "metering_gateway_requests_total 4",
            "metering_gateway_admitted_total 2",
            'metering_gateway_refused_total{reason="NO_KEY"} 1',
            'metering_gateway_refused_total{reason="BAD_KEY"} 1')
    assert many > few > 10, (few, many)
    print(f"promtool: {few} metrics without a store and {many} with one")


if __name__ == "__main__":
    main()
