"""Options of a gateway, and the numbers it tells."""
import re
import time

import pytest

import metering

from conftest import SOURCE


def test_a_gateway_may_leave_compiling_to_others(store):
    with store.gateway(never_compile=True) as never, \
            store.gateway() as compiles:
        store.apply({"consumers": [{
            "username": "vera", "keyauth_credentials": [{"key": "vera-key"}]}]})

        def status():
            request = never.admit("GET", "/anything", key="vera-key")
            if request:
                request.complete(served=False)
            return request.status
        for _ in range(3):
            never.tick()
        assert status() == 401
        for _ in range(1000):  # one compilation a second
            compiles.tick()
            never.tick()
            if status() == 200:
                break
            time.sleep(0.01)
        assert status() == 200


@pytest.mark.parametrize("names, prefix", [
    (metering.Failure, "MET_GATEWAY_FAILURE_"),
    (metering.Reason, "MET_LIMITER_REASON_"),
    (metering.Algorithm, "MET_LIMITER_(?=SL|FIX|CAL|GC|IN)"),
    (metering.Headers, "MET_LIMITER_HEADERS_(?!SIZE)")])
def test_numbers_are_those_of_the_headers(names, prefix):
    text = "".join(path.read_text() for path in
                   sorted((SOURCE / "include/metering").glob("*.h")))
    there = {name: int(number) for name, number in
             re.findall(rf"\b{prefix}(\w+) = (\d+)", text)}
    assert there and there == {
        name: int(one) for name, one in names.__members__.items()}
