"""What needs no store: prices, what a quantity costs, what would be left."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Union

from . import _native
from .errors import invalid
from .values import Document, Number, decode, encode

PriceDocument = Union[Mapping[str, object], str]


class Price:
    """A price, or a rate card's price with its discounts, read once."""

    def __init__(self, document: PriceDocument) -> None:
        self._native = _native.Price(encode(document, ""))

    def rate(self, quantity: Number, **request: object) -> Document:
        """Lines and totals of a quantity; `request` has the other members of
        metering/rating.h's met_price_rate: quantity_before, booked, …"""
        if isinstance(quantity, float):
            raise TypeError("quantity: a float is not exact: use a Decimal")
        found = decode(self._native.rate(
            encode({"quantity": quantity, **request})))
        assert isinstance(found, dict)
        return found

    def totals(self, quantities: Iterable[Number]) -> list[Decimal]:
        """The totals of many quantities, each the usage of a whole period."""
        return self._native.totals(list(quantities))

    def close(self) -> None:
        self._native.close()


def rate(price: PriceDocument, quantity: Number,
         **request: object) -> Document:
    """What `quantity` costs at a price."""
    return Price(price).rate(quantity, **request)


def check_price(price: PriceDocument) -> list[Document]:
    """Everything that is wrong about a price: no issues, no problem."""
    found = decode(_native.price_check(encode(price)))
    issues = found["issues"]
    assert isinstance(issues, list)
    return issues


def simulate_entitlement(document: PriceDocument) -> Document:
    """What-if: what would be left of an entitlement and its grants."""
    found: Document = decode(_native.entitlement_simulate(encode(document)))
    return found


FORMATS = ("text", "html", "csv", "json")


def render_invoice(invoice: Mapping[str, object] | str,
                   format: str = "text") -> str:
    """An invoice for people: "text", "html", "csv" or "json"."""
    if format not in FORMATS:
        raise invalid("format", f"must be one of {', '.join(FORMATS)}")
    return _native.invoice_render(encode(invoice), FORMATS.index(format) + 1)


__all__ = ["Price", "check_price", "rate", "render_invoice",
           "simulate_entitlement"]
