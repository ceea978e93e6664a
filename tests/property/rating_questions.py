"""Random questions about rating and what the model answers."""
import json
from fractions import Fraction

from rating_model import (
    APART, AT_LINE, AT_TOTAL, CURRENCIES, FIRST, INVALID, LAST, MODE,
    NO_MINIMUM, PLACES, REFUSE, UNUSED_FREE, Refused, Widest, by_period,
    divide, for_people, half_away, lines_text, plain, rate, series, shares)


def number(rng, digits=9, places=6, zero=0.08):
    """Often round, often near a bound, sometimes long."""
    if rng.random() < zero:
        return Fraction(0)
    size = rng.randint(1, 10 ** rng.randint(1, digits))
    return Fraction(size, 10 ** rng.choice([0, 0, 0, 1, 2, 3, places]))


def some_tiers(rng):
    count = rng.choice([1, 2, 2, 3, 4, 8, rng.randint(1, 64)])
    bounds = set()
    while len(bounds) < count - 1:
        bounds.add(number(rng, 5, 3, 0.1))
    tiers = []
    for bound in list(bounds) + [None]:
        tier = {"up_to": bound}
        which = rng.randint(1, 3)
        if which & 1:
            tier["unit"] = number(rng, 4, 6)
        if which & 2:
            tier["flat"] = number(rng, 5, 3)
        tiers.append(tier)
    rng.shuffle(tiers)
    return tiers


REGIONS = ["eu", "us", "asia", "mars", "x"]


def some_price(rng):
    kind = rng.choice(["flat", "unit", "unit", "package", "dynamic",
                       "graduated", "graduated", "graduated", "volume",
                       "volume", "free", "percentage", "percentage",
                       "graduated_percentage", "stairstep", "matrix"])
    price = {"type": kind}
    if kind == "free":
        return price
    if kind == "flat":
        price["amount"] = number(rng)
        if rng.random() < 0.6:
            price["payment_term"] = rng.choice(["in_advance", "in_arrears"])
        return price
    if kind in ("unit", "package"):
        price["amount"] = number(rng, 6, 12)
    if kind == "package":
        price["quantity_per_package"] = number(rng, 5, 3, 0)
    if kind == "dynamic":
        price["multiplier"] = number(rng, 4, 5)
    if kind in ("graduated", "volume"):
        price["tiers"] = some_tiers(rng)
    if kind == "graduated_percentage":
        price["tiers"] = some_tiers(rng)
        for tier in price["tiers"]:
            if "unit" in tier:
                tier["percentage"] = tier.pop("unit")
    if kind == "stairstep":
        price["tiers"] = [{"up_to": tier["up_to"], "flat": number(rng, 5, 3)}
                          for tier in some_tiers(rng)]
    if kind == "percentage":
        price["percentage"] = number(rng, 3, 4)
        if rng.random() < 0.3:
            price["free_units"] = number(rng, 5, 3)
        if rng.random() < 0.5:
            price["fixed_amount"] = number(rng, 4, 4)
            if rng.random() < 0.5:
                price["free_events"] = Fraction(rng.randint(0, 20))
    if kind == "matrix":
        price["dimension"] = "region"
        price["values"] = [{"value": value, "amount": number(rng, 5, 9)}
                           for value in rng.sample(REGIONS, rng.randint(0, 4))]
        if rng.random() < 0.7:
            price["default_amount"] = number(rng, 5, 9)
    commitments = {}
    if rng.random() < 0.3:
        commitments["maximum"] = number(rng, 7, 3, 0.1)
    if rng.random() < 0.3:
        minimum = number(rng, 6, 3, 0.1)
        if commitments.get("maximum", 0):
            minimum = min(minimum, commitments["maximum"])
        commitments["minimum"] = minimum
    if commitments:
        price["commitments"] = commitments
    return price


def some_card(rng):
    card = {"price": some_price(rng)}
    kind = card["price"]["type"]
    discounts = {}
    if kind != "free" and rng.random() < 0.3:
        discounts["percentage"] = rng.choice(
            [Fraction(0), Fraction(100), Fraction(50),
             Fraction(rng.randint(0, 10000), 100)])
    if kind not in ("free", "flat", "matrix") and rng.random() < 0.3:
        discounts["usage"] = number(rng, 5, 3)
    if discounts:
        card["discounts"] = discounts
    if kind in ("unit", "graduated", "volume") and rng.random() < 0.3:
        card["unit_config"] = {
            "operation": rng.choice(["multiply", "divide"]),
            "conversion_factor": rng.choice(
                [Fraction(1000), Fraction(3), Fraction(7),
                 number(rng, 4, 3, 0)]),
            "rounding": rng.choice(["none", "ceiling", "floor", "half_up"]),
            "precision": rng.randint(0, 4)}
    return card


def document(value):
    if isinstance(value, Fraction):
        return plain(value)
    if isinstance(value, dict):
        return {name: document(item) for name, item in value.items()}
    if isinstance(value, list):
        return [document(item) for item in value]
    return value


def near(rng, card):
    """A quantity, often at a bound of the card."""
    price = card["price"]
    marks = [tier["up_to"] for tier in price.get("tiers", [])
             if tier["up_to"] is not None]
    if price["type"] == "package":
        marks.append(price["quantity_per_package"] * rng.randint(1, 9))
    if marks and rng.random() < 0.5:
        step = rng.choice([0, 0, 1, -1]) * rng.choice(
            [Fraction(1), Fraction(1, 1000)])
        return max(rng.choice(marks) + step, Fraction(0))
    value = number(rng, 7, 3, 0.12)
    return -value if rng.random() < 0.03 else value


def ask_rate(rng, card):
    currency = rng.choice(CURRENCIES)
    q, before = near(rng, card), Fraction(0)
    flags = FIRST | LAST
    if rng.random() < 0.5:
        flags = rng.choice([0, FIRST, LAST, LAST])
        if not flags & FIRST and rng.random() < 0.9:
            before = near(rng, card)
    flags |= rng.choice([0, 0, 0, NO_MINIMUM]) | rng.choice([0, 0, APART])
    billed = number(rng, 6, 3, 0.5) if rng.random() < 0.4 else Fraction(0)
    credits = [number(rng, 3, 3, 0) for _ in range(rng.choice(
        [0, 0, 0, 0, 1, 2]))]
    if rng.random() < 0.4:
        flags |= (rng.choice([0, AT_LINE, AT_TOTAL])
                  | rng.choice([0, 1, 2, 3, 4, 5, 6]) * MODE
                  | rng.choice([0, UNUSED_FREE]) | rng.choice([0, REFUSE]))
    events, groups, more = None, [], []
    if card["price"]["type"] == "percentage" and rng.random() < 0.9:
        events = [Fraction(rng.randint(0, 30)), Fraction(rng.randint(0, 30))]
        more.append("e:" + ":".join(plain(value) for value in events))
    if card["price"]["type"] == "matrix":
        groups = [(value, near(rng, card))
                  for value in rng.sample(REGIONS, rng.randint(0, 4))]
        if groups and rng.random() < 0.03:
            groups.append(groups[0])
        if rng.random() < 0.97:
            q = sum((size for _, size in groups), Fraction(0))
        more += [f"g:{value}:{plain(size)}" for value, size in groups]
    try:
        answer = "= " + lines_text(rate(card, q, before, flags, billed,
                                        credits, PLACES[currency], events,
                                        groups), flags, PLACES[currency])
    except Refused as refused:
        answer = str(refused)
    words = [plain(q), plain(before), str(flags), plain(billed)] + more
    return (" ".join(["R", currency] + words
                     + [plain(credit) for credit in credits]), answer)


def ask_series(rng, card):
    currency = rng.choice(CURRENCIES)
    quantities = [near(rng, card) for _ in range(rng.randint(1, 5))]
    if rng.random() < 0.6:
        quantities.sort()
    try:
        answer = "= " + series(card, quantities, PLACES[currency])
    except Refused as refused:
        answer = str(refused)
    return (" ".join(["S", currency] + [plain(q) for q in quantities]),
            answer)


def ask_by_period(rng, card):
    """Runs of a charge; what the earlier ones used may change until then."""
    currency = rng.choice(CURRENCIES)
    known, runs = [], []
    for _ in range(rng.randint(1, 4)):
        known.append(near(rng, card))
        if rng.random() < 0.5:
            known = [value if rng.random() < 0.6 else near(rng, card)
                     for value in known]
        runs.append(list(known))
    try:
        answer = "= " + by_period(card, runs, PLACES[currency])
    except Refused as refused:
        answer = str(refused)
    if card["price"]["type"] == "matrix" or "fixed_amount" in card["price"]:
        answer = "! MET_E_UNSUPPORTED"
    words = " / ".join(" ".join(plain(q) for q in run) for run in runs)
    return f"T {currency} {words}", answer


def huge(rng):
    """Up to 34 digits, with or without decimals."""
    digits = rng.choice([1, 12, 17, 30, 33, 34])
    value = rng.choice([10 ** digits - 1, 10 ** (digits - 1),
                        rng.randint(1, 10 ** digits - 1)])
    return Fraction(value) / 10 ** rng.choice([0, 0, 1, 6, 12])


def extreme_card(rng):
    """Prices at the ends of what there may be."""
    amount = rng.choice([Fraction(0), Fraction(1, 10 ** 12),
                         Fraction(10 ** 21), Fraction(1), huge(rng)])
    kind = rng.choice(["unit", "graduated", "volume", "package", "dynamic"])
    price = {"type": kind}
    if kind == "dynamic":
        price["multiplier"] = amount
    elif kind in ("unit", "package"):
        price["amount"] = amount
    if kind == "package":
        price["quantity_per_package"] = rng.choice(
            [Fraction(1), Fraction(1, 10 ** 12), Fraction(10 ** 33)])
    if kind in ("graduated", "volume"):
        bounds = [Fraction(0)] * rng.randint(0, 2)
        count = rng.choice([1, 2, 2, 3, 5, 61])
        bounds += sorted({huge(rng) for _ in range(count)})
        price["tiers"] = [
            {"up_to": bound, "unit": amount, "flat": rng.choice(
                [Fraction(0), Fraction(1, 10 ** 12), Fraction(7)])}
            for bound in bounds + [None]]
    if rng.random() < 0.3:
        price["commitments"] = {"maximum": rng.choice([Fraction(0), amount])}
    card = {"price": price}
    if rng.random() < 0.3:
        card["discounts"] = {"percentage": rng.choice(
            [Fraction(100), Fraction(0), Fraction(1, 10 ** 12)])}
    return card


def ask_extreme(rng, card):
    """The right answer; or, where a step has more than 34 digits, an error
    that says so, which then may come instead of it."""
    currency = rng.choice(["JPY", "USD", "KWD", "12"])
    q = huge(rng)
    Widest.digits = 0
    lines = rate(card, q, Fraction(0), FIRST | LAST, Fraction(0), [],
                 PLACES[currency])
    answer = "= " + lines_text(lines)
    sums = [Fraction(0)] * 3
    for line in lines:
        parts = (line.amount, line.discounts, line.total)
        sums = [Widest.see(a + b) for a, b in zip(sums, parts)]
        for value in parts + (line.quantity, line.unit):
            Widest.see(value)
    if Widest.digits > 34:
        answer = (answer, "! MET_E_OVERFLOW")
    Widest.digits = None
    return f"R {currency} {plain(q)} 0 {FIRST | LAST} 0", answer


def ask_shares(rng):
    currency = rng.choice(CURRENCIES)
    places = PLACES[currency]
    capped, by_key = rng.random() < 0.5, rng.random() < 0.3
    items = []
    for _ in range(rng.choice([0, 1, 2, 3, 3, 5, 9])):
        weight = (Fraction(rng.randint(1, 10 ** rng.randint(1, 5)),
                           10 ** places) if capped and rng.random() < 0.98
                  else number(rng, 4, 3, 0.02))
        items.append((rng.choice("abcdef") + str(rng.randint(0, 3)), weight))
    amount = Fraction(rng.randint(0, 10 ** rng.randint(1, 6)), 10 ** places)
    if capped and items and rng.random() < 0.8:
        whole = int(sum(weight for _, weight in items) * 10 ** places)
        amount = Fraction(rng.randint(0, max(whole, 1)), 10 ** places)
    if rng.random() < 0.02:
        amount = rng.choice([-amount, amount + Fraction(1, 10 ** 13)])
    try:
        given = shares(amount, places, by_key, capped, items)
        answer = "= " + "".join(plain(share) + " " for share in given)
    except Refused as refused:
        answer = str(refused)
    words = [word for key, weight in items for word in (key, plain(weight))]
    return (" ".join(["A", currency, str(by_key + 2 * capped), plain(amount)]
                     + words), answer)


def ask_money(rng):
    currency = rng.choice(CURRENCIES)
    places = PLACES[currency]
    amount = number(rng, 9, rng.randint(0, 12))
    if rng.random() < 0.3:  # a tie
        amount = Fraction(rng.randint(0, 10 ** 6) * 10 + 5,
                          10 ** (places + 1))
    if rng.random() < 0.3:
        amount = -amount
    if rng.random() < 0.5:
        return (f"M {currency} {plain(amount)}",
                f"= {plain(half_away(amount, places))} "
                f"{for_people(currency, amount)}")
    second = 10 ** 9
    full = rng.choice([86400 * 30, 86400 * 31, 86400 * 365, 3600, 1,
                       rng.randint(0, 10 ** 7)]) * second
    service = rng.randint(0, max(full, second)) + rng.choice([0, 1, 999])
    full += rng.choice([0, 0, 1, 999999999])
    if full < second:
        return f"F {currency} {plain(amount)} {service} {full}", INVALID
    ratio = divide(Fraction(service // second), Fraction(full // second))
    return (f"F {currency} {plain(amount)} {service} {full}",
            f"= {plain(half_away(amount * ratio, places))} ")


def questions_of(rng, count):
    asked = []
    while len(asked) < count:
        card = some_card(rng)
        asked.append(("P " + json.dumps(document(card)), "="))
        for _ in range(6):
            asked.append(ask_rate(rng, card))
        for _ in range(2):
            asked.append(ask_series(rng, card))
        if rng.random() < 0.3:
            asked.append(ask_by_period(rng, card))
        asked.append(ask_shares(rng))
        asked.append(ask_money(rng))
        if len(asked) % 7 == 0:
            card = extreme_card(rng)
            asked.append(("P " + json.dumps(document(card)), "="))
            for _ in range(3):
                asked.append(ask_extreme(rng, card))
    return asked
