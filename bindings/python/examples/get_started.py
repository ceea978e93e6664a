"""Get started: requests of two consumers, decided, counted and billed."""
import tempfile
from datetime import datetime, timedelta, timezone

import metering


def plan(name, price, limit, is_soft):
    return {"key": name.lower(), "name": name, "currency": "USD",
            "billing_cadence": "P1M", "publish": True, "phases": [
                {"key": "default", "name": "Default", "rate_cards": [
                    {"key": "calls", "name": "Calls", "price": price,
                     "feature": {"key": "calls"}, "billing_cadence": "P1M",
                     "entitlement": {"type": "metered", "limit": limit,
                                     "usage_period": "P1M",
                                     "is_soft_limit": is_soft}}]}]}


CATALOG = {
    "services": [{"name": "api", "url": "http://localhost:8000", "routes": [
        {"name": "anything", "paths": ["/anything"]}]}],
    "consumers": [{"username": name, "acls": [{"group": "customers"}],
                   "keyauth_credentials": [{"key": f"{name}-key"}]}
                  for name in ("ariel", "rosario")],
    "plugins": [{"name": "key-auth", "config": {"key_names": ["apikey"]}},
                {"name": "acl", "config": {"allow": ["customers"]}},
                {"name": "rate-limiting",
                 "config": {"minute": 5, "hour": 1000}}],
    "meters": [{"key": "requests", "name": "Requests",
                "event_type": "kong.api_request", "aggregation": "count"}],
    "features": [{"key": "calls", "name": "Calls",
                  "meter": {"key": "requests"}}],
    "plans": [plan("Free", {"type": "free"}, 1000, False),
              plan("Premium", {"type": "package", "amount": 1,
                               "quantity_per_package": 5000}, 5000, True)],
    "customers": [{"key": name, "name": name.title(), "currency": "USD",
                   "usage_attribution": {"subject_keys": [f"consumer:{name}"]}}
                  for name in ("ariel", "rosario")],
    "subscriptions": [{"customer": {"key": who}, "plan": {"key": key}}
                      for who, key in (("ariel", "free"),
                                       ("rosario", "premium"))]}
clock = metering.Clock(datetime(2026, 1, 1, tzinfo=timezone.utc))
with tempfile.TemporaryDirectory() as folder, metering.open(
        f"{folder}/store", create=True, clock=clock) as store:
    store.apply(CATALOG)
    with store.gateway() as gateway:
        for name, count, pause in (("ariel", 6, 0), ("rosario", 5001, 13)):
            clock.set(clock.utc_ns + 60 * 10**9)
            for _ in range(count):
                clock.set(clock.utc_ns + pause * 10**9)
                request = gateway.admit("GET", "/anything",
                                        {"apikey": f"{name}-key"})
                if request:
                    request.complete(status=200)
            print(f"{name}: the last one {request.status}, of this month",
                  store.settle() and store.entitlement(name, "calls")["usage"])
            print(metering.render_invoice(store.preview_invoice(
                name, open_period=True)))
    clock.set(datetime(2026, 2, 1, tzinfo=timezone.utc) + timedelta(hours=1))
    print(metering.render_invoice(store.finalize_invoice("rosario")))
