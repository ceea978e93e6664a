"""Rate limits in a table that any number of threads and processes share."""
from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple, Union

from . import _native
from ._native import Policy
from .errors import invalid
from .handle import Handle

SECOND = 1_000_000_000
TICKET_SIZE = 96  # bytes of one in the tickets of Policy.check_batch
UNITS = {"ms": 1_000_000, "s": SECOND, "second": SECOND, "m": 60 * SECOND,
         "minute": 60 * SECOND, "h": 3600 * SECOND, "hour": 3600 * SECOND,
         "d": 86400 * SECOND, "day": 86400 * SECOND,
         "month": 30 * 86400 * SECOND, "year": 365 * 86400 * SECOND}
WINDOW_TEXT = re.compile(r"([0-9]+)/([0-9]*)([a-z]+)\Z")


class Algorithm(enum.IntEnum):
    """How a window counts; docs/limiter.md says what each promises."""

    SLIDING = 1
    SLIDING_COUNTER = 2
    FIXED_EPOCH = 3
    CALENDAR_UTC = 4
    GCRA = 5
    IN_FLIGHT = 6


class Reason(enum.IntEnum):
    """Why a request is refused, or allowed without being counted."""

    NONE = 0
    LIMIT = 1
    NEVER = 2
    TABLE_FULL = 3


class Headers(enum.IntFlag):
    """Which header lines a decision writes."""

    WINDOWS = 1
    REPORTED = 2
    KONG = 3
    IETF = 4


class Window(NamedTuple):
    """At most `limit` in any stretch of time as long as the window."""

    limit: int
    window_ns: int
    algorithm: int = 0

    @classmethod
    def of(cls, limit: int, length: timedelta | int,
           algorithm: Algorithm = Algorithm.SLIDING) -> "Window":
        """A length is a timedelta, or whole seconds."""
        if isinstance(length, timedelta):
            ns = length // timedelta(microseconds=1) * 1000
        elif isinstance(length, int) and not isinstance(length, bool):
            ns = length * SECOND
        else:
            raise TypeError("length: must be a timedelta or whole seconds, "
                            f"not {type(length).__name__}")
        return cls(limit, ns, int(algorithm))

    @classmethod
    def parse(cls, text: str,
              algorithm: Algorithm = Algorithm.SLIDING) -> "Window":
        """"5/minute", "100/30s", "1000/hour"."""
        found = WINDOW_TEXT.match(text)
        if found is None or found[3] not in UNITS:
            raise invalid("windows", f"{text!r} is not like 5/minute or "
                          "100/30s")
        return cls(int(found[1]), int(found[2] or 1) * UNITS[found[3]],
                   int(algorithm))


Windows = Union[str, Window, Iterable[Union[str, Window]]]


def windows_of(windows: Windows) -> tuple[Window, ...]:
    """Windows as the extension takes them."""
    if isinstance(windows, (str, Window)):
        windows = [windows]
    out = []
    for window in windows:
        if isinstance(window, str):
            out.append(Window.parse(window))
        elif isinstance(window, Window):
            out.append(window)
        else:
            raise TypeError('windows: must be texts like "5/minute" or '
                            f"Windows, not {type(window).__name__}")
    return tuple(out)


def limiter_key(value: str | bytes, *, scope: str | bytes = "",
                kind: int = 0) -> bytes:
    """The key of an identity: two are the same only when scope, kind and value
    are."""
    return _native.limiter_key(value, scope=scope, kind=kind)


def address_key(address: str, *, scope: str | bytes = "", kind: int = 0,
                prefix_v4: int = 0, prefix_v6: int = 0) -> bytes:
    """The key of an IP address, however it is written; of IPv6 the first 64
    bits count, unless a prefix says otherwise."""
    return _native.limiter_key(address, scope=scope, kind=kind, form=2,
                               prefix_v4=prefix_v4, prefix_v6=prefix_v6)


def choice(value: str, names: tuple[str, ...], field: str) -> int:
    """1 for the first name, 2 for the second."""
    if value not in names:
        raise invalid(field, f"must be {' or '.join(names)}")
    return names.index(value) + 1


class Limiter(Handle):
    """A table of windows in a file, made when it is missing. On a memory file
    system (/dev/shm) it costs no disk traffic. It may be opened before a fork
    and used in parent and children."""

    def __init__(self, path: str | bytes | os.PathLike[str], *,
                 capacity: int = 0, full: str = "open",
                 clock: str = "exact") -> None:
        """capacity: records, one per live key and window; full: what becomes
        of a key for which there is no room, "open" or "closed"; clock: "exact"
        or "cheap" (metering/limiter.h)."""
        self.path = os.fspath(path)
        self._native = _native.Limiter(
            path, capacity, choice(full, ("open", "closed"), "full"),
            choice(clock, ("exact", "cheap"), "clock"))

    def policy(self, name: str, windows: Windows, *,
               count_denied: bool = False, warn_only: bool = False) -> Policy:
        """Make a policy known to everybody who uses the table, or change its
        windows. The same call in every worker gives the same policy."""
        flags = (1 if count_denied else 0) | (2 if warn_only else 0)
        return self._native.policy(name, windows_of(windows), flags)

    def stats(self) -> dict[str, int]:
        """Counters of the table. Reads every record: for operators."""
        return self._native.stats()

    def close(self) -> None:
        self._native.close()

    @property
    def closed(self) -> bool:
        return self._native.closed

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<metering.Limiter {self.path!r}{state}>"
