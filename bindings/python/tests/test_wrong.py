"""Wrong types and sizes everywhere: every call of every object with values
that it does not expect. It may answer or raise; it must not crash, hang, or
say something that is no exception of ours or Python's."""
import ast
import inspect
import os
import pathlib
import random
from array import array
from datetime import datetime, timezone
from decimal import Decimal

import pytest

import metering
from metering import _native, asgi, wsgi
from metering.values import decode, encode, moment_of

from conftest import counted

ROUNDS = int(os.environ.get("ROUNDS", 120))
STUB = pathlib.Path(metering.__file__).with_name("_native.pyi")


class Strange(dict):
    """A dict that changes while it is looked at."""

    def __iter__(self):
        self.clear()
        return super().__iter__()


class Text(str):
    def __str__(self):
        raise RuntimeError("str")


class Liar:
    """Says that it is what it is not."""
    __class__ = Decimal

    def __index__(self):
        raise RuntimeError("index")

    def __len__(self):
        return 1 << 60

    def __fspath__(self):
        return 7


class OddDecimal(Decimal):
    def __str__(self):
        raise RuntimeError("str")


def odd_values():
    return [
        None, True, -1, 0, 1, 2, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 1 << 200,
        -(1 << 63) - 1, 1.5, float("nan"), 1j, "", "x", "ariel", "\ud800",
        "a\0b", "x" * 5000, Text("t"), b"", b"\0\xff", b"x" * 5000,
        bytearray(b"ab"), memoryview(b"abcd"), (), [], {}, [None], (1, 2, 3),
        ((1, 60_000_000_000, 1),), ((1.5, 2, 3),), ((1, 2),), [[]],
        {"a": "b"}, {"a": 1}, {1: 2}, {"a": None}, {"tokens": 1.5},
        {f"k{i}": "v" for i in range(100)}, [("a", "b")] * 70, [("a",)],
        [("a", 1)], [1, 2], ["a", b"b"], ["a", 1], Strange(a="b"), Liar(),
        object(), object, len, lambda: None, iter([1, 2]), range(3),
        Decimal("NaN"), Decimal("Infinity"), Decimal("1e6000"),
        Decimal("-0.1"), OddDecimal(1), datetime(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=timezone.utc),
        datetime(1, 1, 1, tzinfo=timezone.utc), array("I", [0, 1]),
        array("I", [5, 1]), array("d", [1.0]), array("Q", [1 << 63]),
        array("I"), '{"a":1}', "[" * 2000, "{", '{"key": "\\ud800"}',
        ("prompt", "ariel"), [("prompt", "ariel", {"a": 1})],
        [("prompt", "ariel", None, {"tokens": "1"})], Exception("e")]


def stub_methods():
    """(class, method, names of its arguments) of the stub."""
    tree = ast.parse(STUB.read_text())
    found = {}
    for item in tree.body:
        if isinstance(item, ast.ClassDef):
            found[item.name] = {
                f.name: [a.arg for a in f.args.args[1:] + f.args.kwonlyargs]
                for f in item.body if isinstance(f, ast.FunctionDef)
                and not f.decorator_list}
    return found


def functions_of(thing):
    """(name, callable, names of its arguments) of an object."""
    native = stub_methods().get(type(thing).__name__, {})
    for name in dir(type(thing)):
        if name.startswith("_") or name in ("close", "path", "remove"):
            continue
        call = getattr(thing, name, None)
        if not callable(call):
            continue
        try:
            words = list(inspect.signature(call).parameters)
        except (TypeError, ValueError):
            words = native.get(name, [])
        yield name, call, words


def provoke(what, call, words, dice, values, rounds=ROUNDS):
    for _ in range(rounds):
        given = dice.choices(values, k=dice.randint(0, 5))
        named = {name: dice.choice(values) for name in words
                 if dice.random() < 0.3}
        if dice.random() < 0.05:
            named["nonsense"] = 1
        try:
            answer = call(*given, **named)
            if inspect.isgenerator(answer) or isinstance(
                    answer, metering.UsageRows):
                next(answer, None)
            repr(answer)
            del answer
        except Exception as error:  # any, but it must be printable
            assert str(error) is not None, (what, given, named)
        except BaseException as error:
            raise AssertionError((what, given, named)) from error


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Paths that calls are given land here."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_call_survives_every_value(store, limiter, scratch):
    dice = random.Random(1)
    values = odd_values()
    policy = limiter.policy("free", "5/minute")
    recorder = store.recorder()
    gateway = store.gateway()
    things = [
        store, store._native, limiter, limiter._native, policy,
        policy.check("k"), recorder,
        recorder.prepare("prompt", "ariel"), gateway,
        gateway.admit("GET", "/anything", {"apikey": "ariel-key"}),
        gateway.admit("GET", "/anything"), store.ingest(),
        store.ingest()._native, store.usage("api_requests"),
        store.usage("api_requests")._native,
        metering.Price({"type": "free"}),
        metering.Price({"type": "free"})._native]
    seen = set()
    for thing in things:
        for name, call, words in functions_of(thing):
            seen.add(f"{type(thing).__name__}.{name}")
            provoke((thing, name), call, words, dice, values)
    assert len(seen) > 75
    # Everything works on.
    recorder.add("prompt", "survivor", None, {"tokens": 1})
    gateway.tick()
    assert policy.peek("survivor").remaining == 5
    store.settle()
    assert [row.value for row in store.usage("tokens", subjects=["survivor"])
            ] == [1]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_constructor_survives_every_value(scratch):
    dice = random.Random(2)
    values = odd_values()
    stub = stub_methods()
    for name in ("Limiter", "Price", "Store"):
        provoke(name, getattr(_native, name), stub[name]["__init__"], dice,
                values, 150)
    for make in (metering.Limiter, metering.Price, metering.Window,
                 metering.Window.of, metering.Window.parse, metering.open,
                 metering.rate, metering.check_price, metering.render_invoice,
                 moment_of, encode, decode, metering.datetime_of,
                 _native.price_check, _native.invoice_render,
                 _native.entitlement_simulate, _native.metrics,
                 metering.metrics, metering.simulate_entitlement,
                 metering.Clock, metering.limiter_key,
                 metering.address_key):
        words = list(inspect.signature(make).parameters) \
            if inspect.isfunction(make) or make in (
                metering.Limiter, metering.Price, metering.Window) else []
        provoke(make, make, words, dice, values, 150)
    for kind in (metering.Policy, metering.Decision, metering.Recorder,
                 metering.Prepared, metering.Gateway, metering.Admission):
        with pytest.raises(TypeError):
            kind()


def test_every_call_by_name_survives_every_value(store):
    dice = random.Random(3)
    values = odd_values()
    source = pathlib.Path(__file__).resolve().parents[1] / "native/calls.h"
    names = [line.split("(")[1].split(",")[0]
             for line in source.read_text().splitlines() if " X(" in line
             and "define" not in line]
    assert len(names) > 40
    for name in names + ["store_settle", "store_compact", "nothing", "", 7]:
        for _ in range(25):
            given = dice.choices(values, k=dice.randint(0, 5))
            try:
                store._native.call(name, *given)
            except Exception as error:
                assert str(error)


def test_a_decimal_that_lies_is_no_decimal(store):
    with store.recorder() as recorder:
        with pytest.raises(TypeError, match="int or Decimal"):
            recorder.add("prompt", "ariel", None, {"tokens": Liar()})
        recorder.add("prompt", "ariel", None, {"tokens": OddDecimal("2.5")})


def test_handles_are_not_made_by_pickling_or_copying(store, limiter):
    import copy
    import pickle
    for thing in (store, limiter, limiter.policy("free", "5/minute"),
                  store.recorder(), store.gateway()):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        with pytest.raises(TypeError):
            copy.deepcopy(thing)


def test_middlewares_survive_odd_requests(store, path):
    dice = random.Random(4)
    values = odd_values()
    app = wsgi.Metering(lambda environ, start: [], path, settle=False)
    web = asgi.Metering(None, path, settle=False)
    for _ in range(200):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/anything",
                   "HTTP_APIKEY": "ariel-key"}
        for name in dice.sample(["REQUEST_METHOD", "PATH_INFO", "HTTP_HOST",
                                 "HTTP_APIKEY", "QUERY_STRING",
                                 "CONTENT_LENGTH", "REMOTE_ADDR"], 2):
            environ[name] = dice.choice(values)
        try:
            for _ in app(environ, lambda *_: None):
                pass
        except Exception as error:
            assert str(error) is not None
        try:
            web.admit({"headers": dice.choice(values), "path": "/",
                       "client": dice.choice(values)})
        except Exception as error:
            assert str(error) is not None
    # Both work on, and what they admitted is counted.
    good = {"REQUEST_METHOD": "GET", "PATH_INFO": "/anything",
            "HTTP_APIKEY": "ariel-key"}
    before = counted(store)
    body = app(good, lambda *_: None)
    assert list(body) == []
    body.close()
    request = web.admit({"headers": [(b"apikey", b"ariel-key")],
                         "path": "/anything"})
    request.complete(200)
    assert counted(store) == before + 2
    app.close()
    web.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_errors_say_what_is_wrong_with_what(store, limiter):
    policy = limiter.policy("free", "5/minute")
    gateway = store.gateway()
    request = gateway.admit("GET", "/anything", {"apikey": "ariel-key"})
    wrong = [
        (lambda: policy.refund(bytearray(b"\xff" * 4096), 1), "tickets"),
        (lambda: policy.check_batch(b"abc", array("I", [0, 5]),
                                    allowed=array("I", [0])), "offsets"),
        (lambda: gateway.admit("GET", "/anything", utc_ns=-5), "request"),
        (lambda: gateway.admit("GET", "/", subject=b"\xff"), "request"),
        (lambda: request.complete(quantity=1 << 63), "outcome"),
        (lambda: request.complete(status=-1), "status")]
    for call, field in wrong:
        with pytest.raises(metering.InvalidError) as told:
            call()
        assert (told.value.field, bool(told.value.reason)) == (field, True)
    assert "2^32" in told.value.reason
    request.complete(200)


def test_admissions_of_a_batch_outlive_it(store):
    gateway = store.gateway()
    before = counted(store)
    kept = gateway.admit_many(["ariel-key"] * 50, "GET", "/anything")[7::9]
    gateway.admit_many(["nobody"] * 50, "GET", "/anything")
    for request in kept:
        assert request.is_admitted
        request.complete(200)
    assert counted(store) == before + len(kept)
