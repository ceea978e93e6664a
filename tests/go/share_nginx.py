"""A server in Go, nginx and the metering command in one store at a time:
    share_nginx.py BUILD TOOL GO
One limit holds for all of them, and what they allowed is what is counted."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "end_to_end"))
import nginx_host  # noqa: E402

LIMIT = 24


def tool(store, *words):
    """The answer of the command."""
    return subprocess.run([sys.argv[2], "-d", store, *words], check=True,
                          capture_output=True, text=True).stdout


def ask(url):
    """The status of one request of ariel's."""
    request = urllib.request.Request(url, headers={"apikey": "ariel-key"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    """Everybody at once."""
    nginx_host.skip_without_nginx()
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        root = pathlib.Path(root)
        store = root / "store"
        server = root / "server"
        subprocess.run([sys.argv[3], "test", "-c", "-o", server, "."],
                       cwd=TOP / "bindings" / "go", check=True)
        story = TOP / "examples" / "get_started"
        tool(store, "apply", story / "kong.yaml", story / "catalog.yaml")
        limits = root / "limits.json"
        limits.write_text(json.dumps({"_format_version": "3.0", "plugins": [{
            "name": "rate-limiting",
            "config": {"minute": LIMIT, "limit_by": "consumer"}}]}))
        tool(store, "apply", limits)
        ours = subprocess.Popen([server], stdout=subprocess.PIPE, text=True,
                                env={**os.environ,
                                     "METERING_TEST_SERVE": str(store)})
        statuses = []
        try:
            url = f"http://{ours.stdout.readline().strip()}/anything"
            there = "location / { metering on; root /nonexistent; }"
            with nginx_host.Nginx(root / "nginx", there,
                                  store=store) as nginx:
                def over_nginx():
                    for _ in range(20):
                        statuses.append(nginx.ask("/anything", "ariel-key")[0])

                def over_go():
                    for _ in range(20):
                        statuses.append(ask(url))

                def settle():
                    for _ in range(5):
                        tool(store, "settle")
                threads = [threading.Thread(target=work) for work in (
                    over_nginx, over_go, over_nginx, over_go, settle)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                nginx.stop()
        finally:
            ours.kill()
            ours.wait()
        allowed = sum(status != 429 for status in statuses)
        assert allowed == LIMIT, statuses
        assert set(statuses) <= {200, 404, 429}, statuses
        found = json.loads(tool(store, "--json", "usage", "query", "--meter",
                                "api_requests", "--settle"))
        counted = sum(int(row["value"]) for row in found["data"])
        assert counted == LIMIT, found


if __name__ == "__main__":
    main()
