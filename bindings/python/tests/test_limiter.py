"""Limiter, Policy, Decision, over keys and over buffers."""
from array import array
from datetime import timedelta
from random import Random

import pytest

import metering

MINUTE = 60_000_000_000
BEGIN = 1_000_000_000_000


def asked(policy, key, at):
    return policy.check(key, monotonic_ns=at, utc_ns=at)


def test_the_sixth_request_of_a_minute_is_refused(limiter):
    policy = limiter.policy("free", ["5/minute", "1000/hour"])
    left = [asked(policy, "ariel", BEGIN) for _ in range(6)]
    assert [bool(one) for one in left] == [True] * 5 + [False]
    assert [one.remaining for one in left] == [4, 3, 2, 1, 0, 0]
    assert left[5].reason == metering.Reason.LIMIT
    assert MINUTE <= left[5].wait_ns < MINUTE + 1000
    assert repr(left[5]) == "<metering.Decision refused, 0 of 5 left>"
    assert asked(policy, "ariel", BEGIN + left[5].wait_ns)
    assert asked(policy, b"rosario", BEGIN)


def test_windows_are_told_from_the_shortest_on(limiter):
    policy = limiter.policy("free", ["1000/hour", "5/minute"])
    minute, hour = asked(policy, "k", BEGIN).windows
    assert (minute.limit, minute.remaining, minute.window_ns) == (5, 4, MINUTE)
    assert (hour.limit, hour.is_refusing) == (1000, False)
    assert minute.algorithm == metering.Algorithm.SLIDING


def test_headers_are_pairs(limiter):
    policy = limiter.policy("free", "5/minute")
    pairs = asked(policy, "k", BEGIN).headers()
    assert ("X-RateLimit-Limit-Minute", "5") in pairs
    ietf = dict(asked(policy, "k", BEGIN).headers(metering.Headers.IETF))
    assert sorted(ietf) == ["RateLimit", "RateLimit-Policy"]


def test_allow_peek_charge_refund_and_reset(limiter):
    policy = limiter.policy("free", "5/minute")
    assert policy.allow("k", 4)
    assert policy.peek("k").remaining == 1
    assert not policy.allow("k", cost=2)
    charged = policy.charge("k")
    assert charged.remaining == 0
    assert charged.refund() == 0
    assert policy.peek("k").remaining == 1
    assert not policy.charge("k", 3)
    policy.reset("k")
    assert policy.peek("k").remaining == 5


def test_what_is_in_flight_is_released(limiter):
    policy = limiter.policy("few", metering.Window.of(
        2, timedelta(seconds=30), metering.Algorithm.IN_FLIGHT))
    first, second = policy.check("k"), policy.check("k")
    assert first and second and not policy.check("k")
    assert first.release() == 0
    assert policy.allow("k")


def test_a_request_may_bring_its_own_limit(limiter):
    policy = limiter.policy("free", "5/minute")
    own = (metering.Window(2, MINUTE),)
    assert [policy.allow("k", own=own) for _ in range(3)] == [True, True,
                                                              False]


def test_the_same_policy_has_the_same_number(limiter, tmp_path):
    policy = limiter.policy("free", "5/minute")
    with metering.Limiter(tmp_path / "limits.map") as other:
        again = other.policy("free", "5/minute")
        assert (again.number, again.name) == (policy.number, "free")
        assert policy.allow("k", 5) and not again.allow("k")


def test_a_removed_policy_is_not_found(limiter):
    policy = limiter.policy("free", "5/minute")
    policy.remove()
    with pytest.raises(metering.NotFoundError):
        policy.allow("k")


def test_lists_of_keys(limiter):
    policy = limiter.policy("free", "2/minute")
    assert policy.check_many(["a", b"a", "b", "a"]) == [True, True, True,
                                                        False]
    assert policy.check_many([]) == []
    many = policy.check_many(f"k{i % 100}" for i in range(300))
    assert many == [True] * 200 + [False] * 100


def flat(keys):
    offsets = array("I", [0])
    for key in keys:
        offsets.append(offsets[-1] + len(key))
    return b"".join(keys), offsets


@pytest.mark.parametrize("count", [1, 50, 51, 1000])
def test_buffers_say_the_same_as_single_calls(limiter, count):
    batched = limiter.policy("batched", "3/minute")
    single = limiter.policy("single", "3/minute")
    names = [b"key%d" % (i % 17) for i in range(count)]
    keys, offsets = flat(names)
    costs = array("Q", (i % 3 for i in range(count)))
    allowed, reason = array("I", [9] * count), array("I", [9] * count)
    remaining, wait = array("Q", [0] * count), array("q", [0] * count)
    assert batched.check_batch(keys, offsets, costs, allowed=allowed,
                               reason=reason, remaining=remaining,
                               wait_ns=wait, monotonic_ns=BEGIN,
                               utc_ns=BEGIN) == count
    for i, key in enumerate(names):
        one = single.check(key, max(costs[i], 1), monotonic_ns=BEGIN,
                           utc_ns=BEGIN)
        assert (bool(allowed[i]), reason[i], remaining[i], wait[i]) == (
            one.is_allowed, one.reason, one.remaining, one.wait_ns)


def test_what_a_batch_took_is_given_back_by_ticket(limiter):
    policy = limiter.policy("both", [
        metering.Window.of(2, 60, metering.Algorithm.IN_FLIGHT),
        "4/hour"])
    keys, offsets = flat([b"ariel"] * 3)
    allowed = array("I", [0] * 3)
    tickets = bytearray(3 * metering.TICKET_SIZE)

    def decide(at):
        policy.check_batch(keys, offsets, allowed=allowed, tickets=tickets,
                           monotonic_ns=BEGIN + at * 10**9)
        return allowed.tolist()

    assert decide(0) == [1, 1, 0]
    assert [policy.release(tickets, i) for i in range(3)] == [0, 0, 0]
    assert policy.release(tickets, 0) == 0  # once more gives back nothing
    assert decide(1) == [1, 1, 0]  # now the hour is full
    assert policy.refund(memoryview(tickets), 1) == 0
    assert policy.release(tickets, index=0) == 0
    assert decide(2) == [1, 0, 0]
    with pytest.raises(metering.InvalidError):
        policy.refund(tickets, 0, cost=2)
    odd = memoryview(bytearray(b"x") + tickets)[1:]  # anywhere in memory
    assert policy.refund(odd, 1) == 0
    for words, error in (((tickets, 3), ValueError), ((tickets, -1),
                         ValueError), ((bytes(96), 0), TypeError),
                         (("x", 0), TypeError), ((tickets, 0.5), TypeError),
                         ((bytearray(), 0), ValueError), ((tickets,),
                         TypeError), ((tickets, 0, "x"), TypeError)):
        with pytest.raises(error):
            policy.refund(*words)
    limiter.close()
    with pytest.raises(metering.ClosedError):
        policy.release(tickets, 0)


def test_a_ticket_of_nobody_does_no_harm(limiter):
    """Any bytes: an exception or an answer, and counts stay possible."""
    policy = limiter.policy("free", "5/minute")
    random = Random(1)
    for turn in range(2000):
        real = bytearray(metering.TICKET_SIZE)
        policy.check_batch(b"k", array("I", [0, 1]), tickets=real,
                           allowed=array("I", [0]))
        for _ in range(random.randrange(1, 4)):
            real[random.randrange(len(real))] = random.randrange(256)
        if turn % 2:
            real = bytearray(random.randbytes(len(real)))
        for give in (policy.refund, policy.release):
            try:
                give(real, 0)
            except metering.InvalidError:
                pass
    assert policy.peek("k").remaining <= 5
    assert policy.peek("other").remaining == 5


def test_any_buffer_of_the_right_size_will_do(limiter):
    policy = limiter.policy("free", "3/minute")
    keys, offsets = flat([b"a", b"bc"])
    allowed = bytearray(8)
    assert policy.check_batch(memoryview(keys), memoryview(offsets),
                              allowed=memoryview(allowed).cast("I")) == 2
    assert allowed == b"\1\0\0\0" * 2


def test_a_buffer_that_begins_at_an_odd_place_is_refused(limiter):
    with pytest.raises(TypeError, match="^tickets: must begin at a multiple"):
        limiter.policy("free", "3/minute").check_batch(
            b"a", array("I", [0, 1]), allowed=array("I", [0]),
            tickets=memoryview(bytearray(200))[1:])


@pytest.mark.parametrize("words, error", [
    (dict(offsets=array("I", [0, 9])), ValueError),
    (dict(offsets=array("I", [2, 1])), ValueError),
    (dict(offsets=array("I")), ValueError),
    (dict(offsets=array("H", [0, 1])), TypeError),
    (dict(offsets=array("f", [0, 1])), TypeError),
    (dict(offsets=[0, 1]), TypeError),
    (dict(offsets=None), ValueError),
    (dict(keys="abc"), TypeError),
    (dict(keys=None), ValueError),
    (dict(costs=array("d", [1.0])), TypeError),
    (dict(costs=array("Q")), ValueError),
    (dict(costs=array("Q", [1 << 60])), ValueError),
    (dict(allowed=b"    "), TypeError),
    (dict(allowed=array("I")), ValueError),
    (dict(allowed=None), TypeError),
    (dict(reason=array("Q", [0])), TypeError),
    (dict(wait_ns=array("d", [0.0])), TypeError),
    (dict(remaining=array("Q")), ValueError),
    (dict(kind=1 << 32), ValueError),
    (dict(tickets=bytearray(95)), ValueError),
    (dict(tickets=bytes(96)), TypeError),
    (dict(tickets=array("Q", [0] * 12)), TypeError),
    (dict(tickets=memoryview(bytearray(100))[1:97]), TypeError),
])
def test_wrong_buffers_are_exceptions(limiter, words, error):
    policy = limiter.policy("free", "3/minute")
    all_of = {"keys": b"abc", "offsets": array("I", [0, 1]),
              "allowed": array("I", [0]), **words}
    with pytest.raises(error):
        policy.check_batch(all_of.pop("keys"), all_of.pop("offsets"),
                           **all_of)
    assert policy.peek("a").remaining == 3


def test_a_float_is_refused_by_name(limiter):
    policy = limiter.policy("free", "5/minute")
    for name in ("cost", "kind", "monotonic_ns", "utc_ns"):
        with pytest.raises(TypeError, match=f"^{name}: .*not float"):
            policy.check("k", **{name: 1.0})
    with pytest.raises(TypeError, match="^key: must be str or bytes"):
        policy.check(1.0)
    with pytest.raises(TypeError, match="^length: "):
        metering.Window.of(5, 1.5)
    with pytest.raises(TypeError, match=r"^windows\[0\]: must be int"):
        limiter.policy("free", metering.Window(5.0, MINUTE))


def test_errors_have_class_code_field_and_reason(limiter):
    with pytest.raises(metering.InvalidError) as caught:
        limiter.policy("bad", metering.Window(0, MINUTE))
    assert caught.value.code == -1
    assert caught.value.name == "MET_E_INVALID"
    assert caught.value.field == "policy.windows[0].limit"
    assert caught.value.reason in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_cost_of_nothing_is_refused(limiter):
    policy = limiter.policy("free", "5/minute")
    with pytest.raises(metering.InvalidError, match="^cost: "):
        policy.allow("k", 0)


def test_closed_means_closed(tmp_path):
    with metering.Limiter(tmp_path / "limits.map") as limiter:
        policy = limiter.policy("free", "5/minute")
        decision = policy.check("k")
    assert limiter.closed
    limiter.close()
    for call in (lambda: policy.allow("k"), lambda: policy.check_many(["k"]),
                 decision.refund, limiter.stats, policy.remove,
                 lambda: limiter.policy("x", "1/s")):
        with pytest.raises(metering.ClosedError):
            call()
    assert decision.headers()


def test_stats_count(limiter):
    policy = limiter.policy("free", "1/minute")
    policy.check_many(["k", "k"])
    stats = limiter.stats()
    assert (stats["decisions"], stats["refusals"]) == (2, 1)
