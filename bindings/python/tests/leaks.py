"""Runs every kind of call again and again and says what has grown: a program
of its own, so that nothing else allocates.

    leaks.py FOLDER          all of them
    leaks.py FOLDER planted  one that leaks on purpose
"""
import ctypes
import gc
import pathlib
import sys
from array import array
from decimal import Decimal

import metering

from conftest import CATALOG

ROUNDS = 40


class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
        "uordblks", "fordblks", "keepcost")]


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo2


def sizes():
    """Bytes in use by malloc, and references of a debug interpreter."""
    gc.collect()
    references = getattr(sys, "gettotalrefcount", lambda: 0)()
    return libc.mallinfo2().uordblks, references


def calls(folder):
    store = metering.open(folder / "store", create=True)
    store.apply(CATALOG)
    limiter = metering.Limiter(folder / "limits.map")
    policy = limiter.policy("free", ["1000000/minute", "1000000/hour"])
    recorder, gateway, ingest = store.recorder(), store.gateway(), \
        store.ingest()
    prepared = recorder.prepare("prompt", "ariel", {"model": "m"})
    price = metering.Price({"type": "unit", "amount": "0.1"})
    keys, offsets = b"ab" * 100, array("I", range(0, 202, 2))
    allowed = array("I", [0] * 100)
    tickets = bytearray(100 * metering.TICKET_SIZE)

    def fails(call, *given, **named):
        try:
            call(*given, **named)
        except (metering.MeteringError, TypeError, ValueError):
            return
        raise AssertionError(repr((call, given, named))[:200])

    def limit():
        decision = policy.check("ariel", 2, kind=1)
        decision.headers()
        assert decision.windows and repr(decision)
        decision.refund()
        policy.allow(b"ariel")
        policy.check_many(["a", b"b", "c"])
        policy.check_batch(keys, offsets, allowed=allowed, tickets=tickets)
        policy.refund(tickets, 99)
        policy.release(memoryview(tickets), 0)
        policy.peek("x")
        limiter.policy("free", ["1000000/minute", "1000000/hour"])
        limiter.stats()

    def limit_wrong():
        for word in (None, 1.5, "\ud800", 1 << 70, b"", ()):
            fails(policy.check, "k", cost=word) if word is not None else 0
            fails(policy.check_batch, word, offsets, allowed=allowed)
            fails(policy.check_batch, keys, word, allowed=allowed)
            fails(policy.check_batch, keys, offsets, allowed=word)
        fails(policy.check_many, ["a", 1])
        fails(policy.refund, tickets, 100)
        fails(policy.refund, bytes(tickets), 0)
        fails(policy.release, tickets, None)
        fails(policy.check_batch, b"", array("I", [0, 9]), allowed=allowed)
        fails(limiter.policy, "bad", metering.Window(0, 1))

    def record():
        recorder.add("prompt", "ariel", {"model": "m"},
                     {"tokens": Decimal("1.5")})
        prepared.add({"tokens": 1})
        recorder.add_many([("prompt", "ariel", None, {"tokens": 1}),
                           ("nobody", "x")])
        recorder.tick()

    def record_wrong():
        fails(recorder.add, "prompt", "ariel", {"a": 1})
        fails(recorder.add, "prompt", "ariel", None, {"tokens": 1.5})
        fails(recorder.add, "prompt", "ariel", None, {"tokens": "x"})
        fails(recorder.add, "prompt", "ariel", at=1.5)
        fails(recorder.add, "nobody", "ariel")
        fails(recorder.add_many, [("prompt", "a"), 1])
        fails(recorder.prepare, "prompt", "")

    def requests():
        request = gateway.admit("GET", "/anything", {"apikey": "ariel-key"},
                                query="a=1", attributes={"a": "b"})
        assert request.response_headers and request.upstream_headers
        assert request.drop_headers and request.consumer and repr(request)
        request.complete(200, served=False)
        refused = gateway.admit("GET", "/anything", [("apikey", "x")] * 80)
        assert refused.body and refused.reason and not refused
        gateway.tick()
        many = gateway.admit_many(["ariel-key", None, "x" * 99], "GET",
                                  "/anything", [("x", "y")] * 80)
        many[0].complete(served=False)
        assert many[1].error is None
        fails(gateway.admit_many, ["a", 1])
        fails(gateway.admit_many, ["a"], headers=[("a", 1)])
        fails(gateway.admit, "GET", 1.5)
        fails(gateway.admit, "GET", headers=[("a", 1)])
        fails(refused.complete)

    def documents():
        # Reading JSON, Python keeps more and more small objects for later:
        # so the texts.
        call = store._native.call
        assert call("plan_get", "free", 0, 0) and call("customer_list")
        call("entitlement_get", "ariel", "example_service", 0)
        call("store_stats")
        store.usage("tokens").close()
        with store._native.usage_cursor('{"meter":"tokens"}') as rows:
            assert rows.next() is None
        fails(ingest.events, [])
        ingest._native.json('{"specversion":"1.0"}', 0, None, 0, 0)
        fails(store.plan, "nothing")
        fails(store.put_meter, {"key": 1.5})
        fails(store._native.call, "plan_get")
        fails(store.usage, "nothing")

    def rating():
        price._native.rate('{"quantity":3}')
        price.totals([1, Decimal("2.5")] * 40)
        metering.Price({"type": "free"}).close()
        metering._native.price_check('{"type":"unit","amount":"-1"}')
        fails(price.totals, [1, 1.5])
        fails(metering.Price, {"type": "x"})

    def handles():
        with metering.open(folder / "store") as again:
            with again.recorder() as one, one.prepare("prompt", "a"):
                pass
            again.gateway().close()
            again.ingest().close()
            again._native.call("store_settle", 0)
        metering.Limiter(folder / "limits.map").close()
        fails(metering.open, folder / "none")
    return [limit, limit_wrong, record, record_wrong, requests, documents,
            rating, handles]


def main():
    folder = pathlib.Path(sys.argv[1])
    kept = []

    def planted():
        kept.append(object())
    for call in [planted] if "planted" in sys.argv else calls(folder):
        few = call.__name__ in ("documents", "handles")
        rounds = ROUNDS if few else ROUNDS * 5
        for _ in range(rounds):  # Python's own caches fill up
            call()
        # A leak grows every time; a table or a cache does not.
        tries = []
        while len(tries) < 4 and (not tries or is_leak(min(tries))):
            before = sizes()
            for _ in range(rounds):
                call()
            tries.append(tuple((after - start) / rounds for start, after
                               in zip(before, sizes())))
        print(f"{call.__name__}: {min(tries)[0]:.2f} bytes, "
              f"{min(tries)[1]:.3f} references a round", flush=True)
        if is_leak(min(tries)):
            raise SystemExit(f"{call.__name__} leaks")


def is_leak(grown):
    """The smallest piece that malloc gives is of 32 bytes."""
    return grown[0] >= 16 or grown[1] >= 0.5


if __name__ == "__main__":
    main()
