"""What the tests share: the story's catalog, stores, the command."""
import json
import os
import pathlib
import subprocess

import pytest

import metering

SOURCE = pathlib.Path(os.environ.get(
    "METERING_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
TOOL = os.environ.get("METERING_TOOL")

CATALOG = {
    "meters": [{"key": "api_requests", "name": "API requests",
                "event_type": "kong.api_request", "aggregation": "count",
                "dimensions": {"service_name": "$.service_name"}},
               {"key": "tokens", "name": "Tokens", "event_type": "prompt",
                "aggregation": "sum", "value_property": "$.tokens",
                "dimensions": {"model": "$.model"}}],
    "features": [{"key": "example_service", "name": "Example service",
                  "meter": {"key": "api_requests"}}],
    "plans": [{"key": "free", "name": "Free", "currency": "USD",
               "billing_cadence": "P1M", "publish": True,
               "phases": [{"key": "default", "name": "Default",
                           "rate_cards": [{
                               "key": "example_service",
                               "name": "Example service",
                               "feature": {"key": "example_service"},
                               "billing_cadence": "P1M",
                               "price": {"type": "unit", "amount": "0.01"},
                               "entitlement": {
                                   "type": "metered", "limit": "1000",
                                   "usage_period": "P1M",
                                   "is_soft_limit": False}}]}]}],
    "customers": [{"key": "ariel", "name": "Ariel", "currency": "USD",
                   "usage_attribution": {
                       "subject_keys": ["consumer:ariel"]}}],
    "subscriptions": [{"customer": {"key": "ariel"},
                       "plan": {"key": "free"}}],
    "services": [{"name": "example_service", "url": "http://localhost:1",
                  "routes": [{"name": "example_route",
                              "paths": ["/anything"]}]}],
    "consumers": [{"username": "ariel",
                   "keyauth_credentials": [{"key": "ariel-key"}]}],
    "plugins": [{"name": "key-auth", "config": {"key_names": ["apikey"]}},
                {"name": "rate-limiting",
                 "config": {"minute": 100000, "limit_by": "consumer"}}],
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(path):
    with metering.open(path, create=True) as opened:
        opened.apply(CATALOG)
        yield opened


@pytest.fixture
def limiter(tmp_path):
    with metering.Limiter(tmp_path / "limits.map") as opened:
        yield opened


def tool(store, *words):
    """What the command answers, as JSON."""
    done = subprocess.run([TOOL, "-d", str(store), *words, "--json"],
                          capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def counted(store, meter="api_requests"):
    """All usage of a meter, after a settlement."""
    store.settle()
    with store.usage(meter) as rows:
        return sum(row.value for row in rows)
