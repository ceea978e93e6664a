"""Rating in Python's decimal, written from the rules of the prices as one would
who has no library: the price is read once, a line is a few operations. See
bench/peers.py for the protocol.
"""
import decimal
import json
import pathlib
import sys
import time
from decimal import Decimal

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import peer_python as peer  # noqa: E402

NAMES = ["unit", "package", "graduated", "volume", "dynamic"]
QUANTITIES = 4096
CENT = Decimal("0.01")
ZERO = Decimal(0)


def money(amount):
    """Half away from zero, to the cent."""
    return amount.quantize(CENT, decimal.ROUND_HALF_UP)


def unit(price):
    amount = Decimal(price["amount"])
    return lambda quantity: money(quantity * amount)


def package(price):
    amount = Decimal(price["amount"])
    size = Decimal(price["quantity_per_package"])

    def total(quantity):
        packages = quantity // size
        if packages * size < quantity:
            packages += 1
        return money(packages * amount)
    return total


def tiers_of(price):
    """(up to or None, unit, flat)"""
    return [(Decimal(tier["up_to"]) if "up_to" in tier else None,
             Decimal(tier.get("unit", 0)), Decimal(tier.get("flat", 0)))
            for tier in price["tiers"]]


def graduated(price):
    """Every tier that is entered: what is in it, and its flat part."""
    tiers = tiers_of(price)

    def total(quantity):
        out = money(tiers[0][2])
        start = ZERO
        for i, (up_to, amount, flat) in enumerate(tiers):
            if quantity <= start:
                break
            end = quantity if up_to is None else min(quantity, up_to)
            out += money((end - start) * amount)
            if i > 0:
                out += money(flat)
            start = end
        return out
    return total


def volume(price):
    """The whole quantity by the tier that it reaches."""
    tiers = tiers_of(price)

    def total(quantity):
        for up_to, amount, flat in tiers:
            if up_to is None or quantity <= up_to:
                return money(quantity * amount) + money(flat)
        raise ValueError("no tier")
    return total


def dynamic(price):
    multiplier = Decimal(price["multiplier"])
    return lambda quantity: money(quantity * multiplier)


def quantities():
    """0 to 99999.99, the same as in every peer."""
    return [Decimal(z % 10_000_000) / 100
            for z in peer.randoms(QUANTITIES, 1)]


def main():
    folder = pathlib.Path(sys.argv[1])
    kinds = {"unit": unit, "package": package, "graduated": graduated,
             "volume": volume, "dynamic": dynamic}
    rates = [kinds[name](json.loads((folder / f"{name}.json").read_text()))
             for name in NAMES]
    amounts = quantities()

    def invoice(i):
        first = i * len(rates)
        return sum([rate(amounts[(first + line) % QUANTITIES])
                    for line, rate in enumerate(rates)], ZERO)

    def line(rate):
        return lambda i: rate(amounts[i % QUANTITIES])

    work = [invoice] + [line(rate) for rate in rates]
    names = ["invoice of 5 lines"] + [f"line: {name}" for name in NAMES]
    cases = [{"case": name, "who": "python decimal", "has_results": True}
             for name in names]

    def run(index, count, *words):
        rate = work[index]
        began = time.process_time_ns()
        for i in range(count):
            rate(i)
        answer = {"ns": time.process_time_ns() - began, "count": count}
        if "results" in words:
            answer["results"] = [f"{rate(i).normalize():f}"
                                 for i in range(count)]
        return answer

    peer.serve(cases, run)


if __name__ == "__main__":
    main()
