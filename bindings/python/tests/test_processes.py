"""Threads, forks, other programs: one store, many users."""
import multiprocessing
import os
import pathlib
import shutil
import sys
import threading

import pytest

import metering

from conftest import CATALOG, SOURCE, TOOL, counted, tool


def in_child(work):
    """work() in a forked child: what it returns is true."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() else 2
        except BaseException:  # the child must never return to pytest
            import traceback
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def is_forked(call):
    try:
        call()
    except metering.ForkedError as error:
        return error.code == -8 and "fork" in str(error)
    return False


def test_every_handle_of_the_parent_is_refused_in_a_child(store):
    recorder = store.recorder()
    prepared = recorder.prepare("kong.api_request", "ariel")
    gateway = store.gateway()
    request = gateway.admit("GET", "/anything", {"apikey": "ariel-key"})
    ingest = store.ingest()
    rows = store.usage("api_requests")
    calls = [store.stats, store.settle, store.recorder, store.gateway,
             lambda: store.usage("api_requests"),
             lambda: recorder.add("kong.api_request", "ariel"),
             lambda: recorder.add_many([("kong.api_request", "ariel")]),
             recorder.tick, prepared.add, gateway.tick, gateway.stats,
             lambda: gateway.admit("GET", "/anything"), request.complete,
             lambda: ingest.events([{}]), lambda: next(rows)]

    def work():
        refused = [is_forked(call) for call in calls]
        for handle in (prepared, recorder, gateway, ingest, rows, store):
            handle.close()
        return all(refused)
    in_child(work)
    recorder.add("kong.api_request", "ariel")
    prepared.add()
    request.complete()
    assert counted(store) == 3
    for handle in (prepared, recorder, gateway, ingest, rows):
        handle.close()


def test_a_child_opens_its_own(store, path):
    def work():
        with metering.open(path) as own, own.recorder() as recorder:
            recorder.add("kong.api_request", "ariel")
        return True
    for _ in range(5):
        in_child(work)
    assert counted(store) == 5


def test_a_limiter_and_a_price_are_used_across_forks(limiter):
    policy = limiter.policy("free", "5/minute")
    price = metering.Price({"type": "unit", "amount": "2"})
    assert policy.allow("k")
    in_child(lambda: policy.check_many(["k"] * 3) == [True] * 3
             and price.totals([2]) == [4])
    assert [policy.allow("k"), policy.allow("k")] == [True, False]


def test_a_fork_while_other_threads_are_in_calls(store, path):
    """A child never waits for a lock that a thread of the parent held."""
    stop = threading.Event()
    recorder = store.recorder()

    def busy(call):
        while not stop.is_set():
            call()
    threads = [threading.Thread(target=busy, args=(call,))
               for call in (store.settle, recorder.tick, store.stats)]
    for one in threads:
        one.start()
    try:
        for _ in range(20):
            in_child(lambda: is_forked(recorder.tick)
                     and is_forked(store.settle)
                     and is_forked(lambda: recorder.add("e", "s")))
        in_child(lambda: metering.open(path).stats()["store_id"] != "")
    finally:
        stop.set()
        for one in threads:
            one.join()
    recorder.close()


def allow_some(path, name, times):
    with metering.Limiter(path) as limiter:
        policy = limiter.policy(name, "1000/hour")
        return sum(policy.allow("k") for _ in range(times))


def test_processes_share_a_limit(tmp_path):
    path = str(tmp_path / "limits.map")
    with multiprocessing.get_context("fork").Pool(4) as pool:
        allowed = pool.starmap(allow_some, [(path, "free", 400)] * 4)
    assert sum(allowed) <= 1000
    assert sum(allowed) > 980


def test_threads_share_a_limit(limiter):
    policy = limiter.policy("few", "24/hour")
    allowed = []

    def work(many):
        for _ in range(20):
            allowed.extend(policy.check_many(["k"] * 60) if many
                           else [policy.allow("k")])
    threads = [threading.Thread(target=work, args=(i % 2,)) for i in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(allowed) == 24


def test_threads_share_recorders_and_gateways(store):
    """What they count is exact, whatever ticks and settles meanwhile."""
    failures = []
    with store.recorder() as recorder, store.gateway() as gateway, \
            recorder.prepare("prompt", "ariel", {"model": "m"}) as prepared:
        def work(call):
            try:
                for _ in range(200):
                    call()
            except BaseException as error:
                failures.append(error)

        def request():
            gateway.admit("GET", "/anything",
                          {"apikey": "ariel-key"}).complete(200)
        calls = [lambda: recorder.add("prompt", "ariel", {"model": "n"},
                                      {"tokens": 1}),
                 lambda: prepared.add({"tokens": 2}),
                 lambda: recorder.add_many([("prompt", "rosario", None,
                                             {"tokens": 3})]),
                 request, request]
        threads = [threading.Thread(target=work, args=(call,))
                   for call in calls + [recorder.tick, gateway.tick]]
        settler = threading.Thread(target=lambda: [store.settle()
                                                   for _ in range(10)])
        for one in threads + [settler]:
            one.start()
        for one in threads + [settler]:
            one.join()
    assert failures == []
    assert counted(store, "tokens") == 200 * 6
    assert counted(store) == 400


def test_handles_are_closed_under_threads(store):
    """Whatever closes in the middle: ClosedError, never a crash."""
    for _ in range(20):
        recorder = store.recorder()
        started = threading.Barrier(3)

        def work(call):
            started.wait()
            try:
                while True:
                    call()
            except metering.ClosedError:
                pass
        threads = [threading.Thread(target=work, args=(call,)) for call in (
            recorder.tick, lambda: recorder.add("kong.api_request", "a"))]
        for one in threads:
            one.start()
        started.wait()
        recorder.close()
        for one in threads:
            one.join()


@pytest.mark.skipif(TOOL is None, reason="the command is not built")
def test_the_command_and_python_share_a_store(store, path):
    with store.recorder() as recorder, store.gateway() as gateway:
        recorder.add("kong.api_request", "consumer:ariel")
        gateway.admit("GET", "/anything", {"apikey": "ariel-key"}).complete()
        found = tool(path, "settle")
        assert found["events"] == 2
        rows = tool(path, "usage", "query", "--meter", "api_requests",
                    "--subject", "consumer:ariel")["data"]
        assert [row["value"] for row in rows] == ["2"]
        assert {one["key"] for one in tool(path, "list", "plans")["items"]} \
            == {"free"}
        recorder.add("kong.api_request", "consumer:ariel")
    assert counted(store) == 3
    left = tool(path, "entitlement", "show", "ariel")["items"]
    assert left[0]["balance"] == "997"
    assert store.entitlement("ariel", "example_service")["balance"] == 997


@pytest.mark.skipif(TOOL is None, reason="the command is not built")
def test_a_settling_process_beside_python(store, path):
    def work():
        with metering.open(path) as own, own.recorder() as recorder:
            for _ in range(300):
                recorder.add("kong.api_request", "ariel")
        return True
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if work() else 1)
        pids.append(pid)
    for _ in range(5):
        tool(path, "settle")
        store.settle()
    for pid in pids:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert counted(store) == 900


NGINX = pathlib.Path(os.environ.get("METERING_NGINX_MODULE") or "none")


@pytest.mark.skipif(TOOL is None or not NGINX.is_file()
                    or not shutil.which("nginx"),
                    reason="no nginx, or no module for it")
def test_nginx_the_command_and_python_share_a_store(store, path, tmp_path,
                                                    monkeypatch):
    """One limit and one meter for all of them at the same time."""
    monkeypatch.setattr(sys, "path", sys.path
                        + [str(SOURCE / "tests/end_to_end")])
    import nginx_host
    os.chmod(tmp_path, 0o755)
    store.apply({"plugins": [{"name": "rate-limiting", "config": {
        "minute": 24, "limit_by": "consumer"}}]})
    server = "location / { metering on; root /nonexistent; }"
    allowed = []
    with nginx_host.Nginx(tmp_path / "nginx", server, store=path) as nginx, \
            store.gateway() as gateway:
        def over_http():
            for _ in range(20):
                allowed.append(nginx.ask("/anything", "ariel-key")[0] != 429)

        def here():
            for _ in range(20):
                request = gateway.admit("GET", "/anything",
                                        {"apikey": "ariel-key"})
                allowed.append(bool(request))
                if request:
                    request.complete(404)

        def settle():
            for _ in range(5):
                tool(path, "settle")
        threads = [threading.Thread(target=work)
                   for work in (over_http, here, over_http, here, settle)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        nginx.stop()
    assert sum(allowed) == 24
    assert counted(store) == 24
    assert tool(path, "usage", "query", "--meter", "api_requests",
                "--group-by", "subject")["data"][0]["value"] == "24"


def cut_short(path):
    """A recorder and a limiter whose files somebody cuts short, in a child
    that may handle SIGBUS for ever."""
    import faulthandler
    faulthandler.enable()
    metering.guard_faults()
    metering.guard_faults()
    with metering.open(path) as store, store.recorder() as recorder:
        recorder.add("kong.api_request", "ariel")
        store.settle()
        os.truncate(pathlib.Path(path) / "tally" / "0000.map", 0)
        with pytest.raises(metering.StorageError, match="cut short"):
            recorder.add("kong.api_request", "ariel")
        with pytest.raises(metering.CorruptError):
            recorder.tick()
        recorder.add("kong.api_request", "ariel")
        os.truncate(pathlib.Path(path) / "tally" / "0001.map", 4096)
        with pytest.raises(metering.CorruptError):
            recorder.tick()
        recorder.add("kong.api_request", "ariel")
        tally = store.stats()["tally"]
        assert tally["files_lost"] == 2
        assert 1 <= tally["events_lost_most"] <= 2
    table = pathlib.Path(path) / "own.map"
    for _ in range(3):
        with metering.Limiter(table) as limiter:
            policy = limiter.policy("p", "1/hour")
            assert policy.allow("a") and not policy.allow("a")
            os.truncate(table, 0)
            with pytest.raises(metering.CorruptError):
                policy.allow("a")
    return True


def test_files_that_are_cut_short_are_errors(store, path):
    in_child(lambda: cut_short(path))
    assert counted(store) == 2
