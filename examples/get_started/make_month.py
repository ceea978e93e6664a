#!/usr/bin/env python3
"""Writes one month of requests, and what must come of them.

    make_month.py month.ndjson month_expected.json

Deterministic: no randomness, no clock. Requests come in bursts that are at
least 70 seconds apart for each consumer, so that five of a burst are admitted
by 5/minute whatever happened before, and no hour sees more than 1,000.
"""
import datetime
import json
import sys

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
MINUTE_LIMIT = 5
PREMIUM_ADMITTED = 5001
PREMIUM_ALLOWANCE = 5000


def text(seconds):
    at = START + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def burst(requests, second, count, key, service, status=200):
    """count requests 400 ms apart."""
    for index in range(count):
        requests.append((second + index * 0.4, {
            "key": key, "service": service, "method": "GET",
            "status": status}))


def main():
    requests = []
    expected = {"unauthorized": 0, "forbidden": 0, "rate_denied": 0}

    # rosario: 1,000 bursts on the billed service, every fifth too large, and
    # one request more than the allowance at the very end of the month.
    bursts = PREMIUM_ADMITTED // MINUTE_LIMIT
    for index in range(bursts):
        size = MINUTE_LIMIT + (3 if index % 5 == 0 else 0)
        burst(requests, 600 + index * 2500, size, "rosario-key",
              "example_service")
        expected["rate_denied"] += size - MINUTE_LIMIT
    rest = PREMIUM_ADMITTED - bursts * MINUTE_LIMIT
    burst(requests, 31 * 86400 - 3600, rest, "rosario-key", "example_service")

    # rosario also uses a service that no feature counts.
    reports = 120
    for index in range(reports):
        burst(requests, 1700 + index * 20000, 2, "rosario-key",
              "reports_service")

    # ariel: stays below the free allowance, bursts over the rate limit.
    ariel = 0
    for index in range(100):
        size = 4 + index % 4
        burst(requests, 300 + index * 25000, size, "ariel-key",
              "example_service")
        ariel += min(size, MINUTE_LIMIT)
        expected["rate_denied"] += max(0, size - MINUTE_LIMIT)

    # A consumer without a group, a key nobody has, and no key at all.
    for index in range(10):
        burst(requests, 900 + index * 90000, 1, "guest-key",
              "example_service")
        burst(requests, 950 + index * 90000, 1, "nobody-has-this-key",
              "example_service")
        burst(requests, 990 + index * 90000, 1, None, "example_service")
        expected["forbidden"] += 1
        expected["unauthorized"] += 2

    requests.sort(key=lambda row: (row[0], json.dumps(row[1])))
    expected["attempts"] = len(requests)
    expected["usage"] = {
        "ariel": {"example_service": ariel},
        "rosario": {"example_service": PREMIUM_ADMITTED,
                    "reports_service": 2 * reports}}
    admitted = ariel + PREMIUM_ADMITTED + 2 * reports
    expected["soft"] = {"admitted": admitted, "quota_denied": 0,
                        "packages": 2, "total": "2.00"}
    expected["hard"] = {"admitted": admitted - 1, "quota_denied": 1,
                        "packages": 1, "total": "1.00"}
    assert PREMIUM_ADMITTED == PREMIUM_ALLOWANCE + 1

    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for seconds, request in requests:
            row = {"time": text(seconds)} | request
            out.write(json.dumps(row, separators=(",", ":")) + "\n")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(json.dumps(expected, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main()
