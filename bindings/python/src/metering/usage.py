"""How usage gets in and out: events with ids, and rows of queries."""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from . import _native
from .handle import Handle
from .values import Document, decode, plain

LINES = 1


@dataclass(frozen=True)
class UsageRow:
    """One row of a usage query."""

    __slots__ = ("from_", "to", "value", "subject", "customer_id", "customer",
                 "dimensions")
    from_: datetime
    to: datetime
    value: Decimal
    subject: str | None
    customer_id: str | None
    customer: str | None
    dimensions: dict[str, str]


@dataclass(frozen=True)
class Cursor:
    """How far a source of events was read."""

    __slots__ = ("name", "generation", "offset")
    name: str
    generation: int
    offset: int


class UsageRows(Handle):
    """Rows of a usage query, one by one, however many there are. It sees the
    store as it was when it began; close it, or read it to its end."""

    def __init__(self, native: _native.UsageCursor) -> None:
        self._native = native

    def __iter__(self) -> "UsageRows":
        return self

    def __next__(self) -> UsageRow:
        text = None if self._native.closed else self._native.next()
        if text is None:
            self._native.close()
            raise StopIteration
        row = decode(text)
        return UsageRow(row["from"], row["to"], row["value"],
                        row.get("subject"), row.get("customer_id"),
                        row.get("customer"), row.get("dimensions", {}))

    def close(self) -> None:
        self._native.close()


class Ingest(Handle):
    """Takes in events with ids: each counts once, however often it is sent.
    A batch is one transaction."""

    def __init__(self, native: _native.Ingest) -> None:
        self._native = native

    def events(self, events: Iterable[Mapping[str, object]],
               cursor: Cursor | None = None) -> Document:
        """A batch of CloudEvents; at most 10,000."""
        batch = [plain(event, f"events[{i}]")
                 for i, event in enumerate(events)]
        return self.json(json.dumps(batch, ensure_ascii=False), cursor=cursor)

    def json(self, text: str | bytes, *, lines: bool = False,
             cursor: Cursor | None = None) -> Document:
        """Events as JSON: one, an array, or one a line."""
        at = cursor or Cursor("", 0, 0)
        report = decode(self._native.json(
            text, LINES if lines else 0, at.name if cursor else None,
            at.generation, at.offset))
        assert isinstance(report, dict)
        return report

    def close(self) -> None:
        self._native.close()
