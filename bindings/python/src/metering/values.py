"""Python's values and the library's documents: Decimal and aware datetime in
and out, never a float."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Union

from .errors import invalid

Document = dict[str, Any]
Moment = Union[datetime, int]
Number = Union[int, Decimal]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

# Members whose text is a decimal, wherever they stand.
DECIMALS = frozenset((
    "amount", "balance", "balance_at_start", "burned", "charges_total",
    "conversion_factor", "credits", "credits_applied", "credits_total",
    "default_amount", "discounts_total",
    "fixed_amount", "flat", "free_events", "free_units", "gross", "limit",
    "maximum", "minimum", "multiplier", "net", "overage", "overage_at_end",
    "overage_at_start", "per_unit_amount", "percentage", "quantity",
    "quantity_before", "quantity_billed_before", "quantity_per_package",
    "quantity_total", "taxes_exclusive_total", "taxes_inclusive_total",
    "taxes_total", "total", "total_available", "unit", "unrated", "up_to",
    "usage", "value"))
TIMES = frozenset(("at", "from", "to", "time", "refused_before",
                   "oldest_unsettled", "counting_since", "billing_anchor"))
TIME_ENDS = ("_at", "_from", "_to")
# What stands in these is the caller's own: texts stay texts.
OPAQUE = frozenset(("attributes", "config", "dimensions", "event", "filters",
                    "metadata", "values", "groups"))

DECIMAL_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
TIME_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                       r"(\.[0-9]+)?Z\Z")


def moment_of(value: object, field: str) -> int:
    """Nanoseconds since 1970 of an aware datetime; an int is that already."""
    if isinstance(value, bool):
        raise TypeError(f"{field}: must be a datetime with a time zone, or "
                        "nanoseconds, not bool")
    if isinstance(value, int):
        return value
    if not isinstance(value, datetime):
        raise TypeError(f"{field}: must be a datetime with a time zone, or "
                        f"nanoseconds, not {type(value).__name__}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise invalid(field, "must be a datetime with a time zone")
    return (value - EPOCH) // MICROSECOND * 1000


def moment_or_now(value: Moment | None, field: str) -> int:
    return 0 if value is None else moment_of(value, field)


def datetime_of(utc_ns: int) -> datetime:
    """The instant in UTC; what is below a microsecond is cut off."""
    return EPOCH + timedelta(microseconds=utc_ns // 1000)


def text_of_moment(value: Moment, field: str) -> str:
    """RFC 3339 in UTC."""
    ns = moment_of(value, field)
    seconds, rest = divmod(ns, 1_000_000_000)
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"


def text_of_number(value: Decimal, field: str) -> str:
    if not value.is_finite():
        raise invalid(field, "must be a finite number")
    return format(value, "f")


def plain(value: object, field: str) -> Any:
    """What json can write, without a float anywhere."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        raise TypeError(f"{field}: a float is not exact: use a Decimal")
    if isinstance(value, Decimal):
        return text_of_number(value, field)
    if isinstance(value, datetime):
        return text_of_moment(value, field)
    if isinstance(value, Mapping):
        out = {}
        for name, item in value.items():
            if not isinstance(name, str):
                raise TypeError(f"{field}: names must be str, not "
                                f"{type(name).__name__}")
            out[name] = plain(item, f"{field}.{name}" if field else name)
        return out
    if isinstance(value, Sequence) and not isinstance(value, (bytes,
                                                              bytearray)):
        return [plain(item, f"{field}[{i}]") for i, item in enumerate(value)]
    raise TypeError(f"{field or 'document'}: must be text, a whole number, a "
                    "Decimal, a datetime, a list or a mapping, not "
                    f"{type(value).__name__}")


def encode(document: Mapping[str, object] | str | bytes,
           field: str = "") -> str | bytes:
    """The document as JSON. Text is taken as JSON already."""
    if isinstance(document, (str, bytes)):
        return document
    if not isinstance(document, Mapping):
        raise TypeError(f"{field or 'document'}: must be a mapping or JSON, "
                        f"not {type(document).__name__}")
    return json.dumps(plain(document, field), ensure_ascii=False)


def time_of_text(text: str) -> datetime:
    whole, _, fraction = text.rstrip("Z").partition(".")
    at = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    return at.replace(microsecond=int(fraction[:6].ljust(6, "0")))


def revived(name: str, value: Any) -> Any:
    """A member with its numbers and times."""
    if isinstance(value, str):
        if name in DECIMALS and DECIMAL_TEXT.match(value):
            return Decimal(value)
        if (name in TIMES or name.endswith(TIME_ENDS)) \
                and TIME_TEXT.match(value):
            return time_of_text(value)
        return value
    if name in OPAQUE:
        return opaque(name, value)
    if isinstance(value, dict):
        return {key: revived(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [revived(name if isinstance(item, str) else "", item)
                for item in value]
    return value


def opaque(name: str, value: Any) -> Any:
    """Members that are the caller's; of a matrix, amounts and quantities."""
    if name in ("values", "groups") and isinstance(value, list):
        return [{key: item if key == "value" else revived(key, item)
                 for key, item in row.items()} if isinstance(row, dict)
                else row for row in value]
    return value


def decode(text: str) -> Any:
    """A document with Decimal for amounts and datetime for instants."""
    return revived("", json.loads(text, parse_float=Decimal))
