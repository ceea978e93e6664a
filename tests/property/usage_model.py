"""The rules of usage, once more: windows in every zone, what values come to,
which conditions hold.

Amounts are whole 10^-9. Minutes are counted from 1970 on.
"""
import datetime
import re
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
UNIT = 10 ** 9


def minute_of(text):
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int((at - EPOCH).total_seconds()) // 60


TIMES = {}


def time_text(minute):
    if minute not in TIMES:
        TIMES[minute] = (EPOCH + datetime.timedelta(minutes=minute)).strftime(
            "%Y-%m-%dT%H:%M:00Z")
    return TIMES[minute]


# --- Windows ------------------------------------------------------------------
BOUNDS = {}


def day_start(zone, day):
    """The earlier midnight; a gap moves it forward."""
    wall = datetime.datetime(day.year, day.month, day.day, tzinfo=zone)
    return int((wall.astimezone(UTC) - EPOCH).total_seconds()) // 60


def next_day(day, window):
    if window == "day":
        return day + datetime.timedelta(days=1)
    return (day.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)


def window_of(window, zone, minute):
    if window in ("minute", "hour"):
        size = 1 if window == "minute" else 60
        return minute - minute % size, minute - minute % size + size
    key = (window, zone, minute)
    if key not in BOUNDS:
        info = zoneinfo.ZoneInfo(zone)
        day = (EPOCH + datetime.timedelta(minutes=minute)).astimezone(
            info).date()
        if window == "month":
            day = day.replace(day=1)
        start = day_start(info, day)
        end = day_start(info, next_day(day, window))
        while end <= minute:
            day = next_day(day, window)
            start, end = end, day_start(info, next_day(day, window))
        BOUNDS[key] = start, end
    return BOUNDS[key]


# --- Values -------------------------------------------------------------------
def plain(units, places):
    """units of 10^-places without needless zeros."""
    sign = "-" if units < 0 else ""
    text = str(abs(units)).rjust(places + 1, "0")
    whole, part = text[:len(text) - places], text[len(text) - places:]
    part = part.rstrip("0")
    return sign + whole + ("." + part if part else "")


def half_even(over, under):
    whole, rest = divmod(over, under)
    if rest * 2 > under or (rest * 2 == under and whole % 2):
        whole += 1
    return whole


def total(aggregation, events):
    """What events come to, in the order they came in; None: no row."""
    if aggregation == "count":
        return str(len(events))
    if aggregation == "unique_count":
        return str(len({event["y"] or "" for event in events}))
    values = [event["v"] for event in events]
    if aggregation == "sum":
        return plain(sum(values), 9)
    if aggregation == "avg":
        return plain(half_even(sum(values) * UNIT, len(values)), 18)
    if aggregation == "min":
        return plain(min(values), 9)
    if aggregation == "max":
        return plain(max(values), 9)
    latest = events[0]
    for event in events[1:]:
        if event["ns"] >= latest["ns"]:
            latest = event
    return plain(latest["v"], 9)


# --- Conditions ---------------------------------------------------------------
NUMBER = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")


def holds(condition, value):
    if not condition:
        return True
    (name, operand), = condition.items()
    if name in ("and", "or"):
        answers = [holds(part, value) for part in operand]
        return all(answers) if name == "and" else any(answers)
    if name == "eq":
        return value == operand
    if name in ("ne", "neq"):
        return value != operand
    if name == "in":
        return value in operand
    if name == "nin":
        return value not in operand
    if name == "exists":
        return operand == (value != "")
    if name == "contains":
        return operand.lower() in value.lower()
    if name == "ncontains":
        return operand.lower() not in value.lower()
    if isinstance(operand, str):
        left, right = value.encode(), operand.encode()
    elif NUMBER.match(value):
        left, right = float(value), float(operand)
    else:
        return False
    return {"gt": left > right, "gte": left >= right, "lt": left < right,
            "lte": left <= right}[name]
