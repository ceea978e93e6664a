"""Rating in Python's fractions, written from the pricing rules and not from
the C code: one line, runs of a charge, shares, amounts for people."""
from fractions import Fraction

PLACES = {"USD": 2, "JPY": 0, "KWD": 3, "EUR": 2, "0": 0, "4": 4, "12": 12}
CURRENCIES = list(PLACES)
REGULAR, COMMITMENT = 1, 2
IN_ADVANCE, IN_ARREARS = 1, 2
INVALID = "! MET_E_INVALID"
FIRST, LAST, NO_MINIMUM, APART = 1, 2, 4, 8
AT_LINE, AT_TOTAL, MODE, UNUSED_FREE, REFUSE = 16, 32, 64, 512, 1024


class Refused(Exception):
    pass


class Widest:
    """The most digits that any exact step of a question had; None: nobody
    wants to know."""
    digits = None

    @classmethod
    def see(cls, value):
        """The value, counted."""
        if cls.digits is not None:
            text = plain(abs(value)).replace(".", "").lstrip("0")
            cls.digits = max(cls.digits, len(text))
        return value


# --- numbers ------------------------------------------------------------------
def plain(value):
    """Plain notation of a fraction whose decimals end."""
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    assert rest == 1
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10 ** places // value.denominator)
    digits = digits.rjust(places + 1, "0")
    return sign + digits[:-places] + "." + digits[-places:]


def half_away(value, places):
    scaled = abs(value) * 10 ** places
    result = Fraction((2 * scaled.numerator + scaled.denominator)
                      // (2 * scaled.denominator), 10 ** places)
    return -result if value < 0 else result


def floor(value, places):
    scaled = value * 10 ** places
    return Fraction(scaled.numerator // scaled.denominator, 10 ** places)


def ceiling(value, places):
    return -floor(-value, places)


def divide(a, b):
    """Exact when 12 decimals hold it, else 16, half away from zero."""
    exact = a / b
    if (exact * 10 ** 12).denominator == 1:
        return exact
    return half_away(exact, 16)


def half_even(value, places):
    below = floor(value, places)
    rest = (value - below) * 10 ** places
    odd = int(below * 10 ** places) % 2
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and odd)
    return below + (Fraction(1, 10 ** places) if up else 0)


def down(value, places):
    return floor(value, places) if value >= 0 else ceiling(value, places)


def up(value, places):
    return ceiling(value, places) if value >= 0 else floor(value, places)


MODES = [half_away, half_away, half_even, down, up, floor, ceiling]


class Money:
    """How amounts are rounded: each, as steps of their sum, or not at all."""
    def __init__(self, flags, places):
        self.places, self.flags = places, flags
        self.mode = MODES[flags // MODE % 8]
        self.exact = self.rounded = Fraction(0)

    def round(self, value):
        return value if self.flags & AT_TOTAL else self.mode(value,
                                                             self.places)

    def amount(self, product, category):
        if not self.flags & AT_LINE or category == COMMITMENT:
            return self.round(product)
        self.exact += product
        step = self.round(self.exact) - self.rounded
        self.rounded += step
        return step


# --- one line -----------------------------------------------------------------
class Line:
    def __init__(self, part, child, quantity, unit, places,
                 category=REGULAR, term=IN_ARREARS):
        self.name = "L" if part is None else "L: " + part
        self.child = self.pricer = child
        self.category, self.term = category, term
        self.quantity, self.unit = quantity, unit
        amount = places.amount(Widest.see(quantity * unit), category)
        self.amount = amount if category == REGULAR else Fraction(0)
        self.charges = amount if category == COMMITMENT else Fraction(0)
        self.discounts = self.credits = Fraction(0)

    @property
    def total(self):
        return self.amount + self.charges - self.discounts - self.credits

    def key(self):
        return (self.pricer, self.category, self.term, self.unit)

    def text(self):
        return "~".join([self.name, self.child, str(self.category),
                         str(self.term)]
                        + [plain(value) for value in
                           (self.quantity, self.unit, self.amount,
                            self.charges, self.discounts, self.credits,
                            self.total)])


def lines_text(lines, flags=0, places=0):
    total = sum((line.total for line in lines), Fraction(0))
    if flags & AT_TOTAL:
        total = MODES[flags // MODE % 8](total, places)
    return "".join(line.text() + ";" for line in lines) + plain(total) + " "


def sorted_tiers(price):
    return sorted(price["tiers"], key=lambda tier: (tier["up_to"] is None,
                                                    tier["up_to"] or 0))


def rate_flat(price, q, before, first, last, places):
    advance = price.get("payment_term") == "in_advance"
    if first if advance else last:
        return [Line(None, "flat-price", Fraction(1), price["amount"], places,
                     term=IN_ADVANCE if advance else IN_ARREARS)]
    return []


def rate_unit(price, q, before, first, last, places):
    if q <= 0:
        return []
    return [Line("usage in period", "unit-price-usage", q, price["amount"],
                 places)]


def rate_package(price, q, before, first, last, places):
    size = price["quantity_per_package"]
    count = ceiling((before + q) / size, 0)
    if not first:
        count -= ceiling(before / size, 0)
    if count == 0:
        return []
    return [Line("usage in period", "usage", count, price["amount"], places)]


def rate_dynamic(price, q, before, first, last, places):
    if q <= 0:
        return []
    return [Line("usage in period", "usage", Fraction(1),
                 places.round(Widest.see(q * price["multiplier"])), places)]


def rate_graduated(price, q, before, first, last, places):
    tiers = sorted_tiers(price)
    shares = price["type"] == "graduated_percentage"
    prefix = "graduated-percentage" if shares else "graduated-tiered"
    unused_free = places.flags & UNUSED_FREE
    end = before + q
    lines = []

    def usage(number, tier, quantity):
        unit = tier.get("unit")
        if shares and tier.get("percentage") is not None:
            unit = tier["percentage"] / 100
        if unit is not None:
            lines.append(Line(f"usage price for tier {number}",
                              f"{prefix}-{number}-price-usage",
                              quantity, unit, places))

    def flat(number, tier):
        if tier.get("flat") is not None:
            lines.append(Line(f"flat price for tier {number}",
                              f"{prefix}-{number}-flat-price",
                              Fraction(1), tier["flat"], places))

    if end == 0:  # no usage at all: tier 1 as it stands
        usage(1, tiers[0], Fraction(0))
        if first and not unused_free:
            flat(1, tiers[0])
        return lines
    start = Fraction(0)
    for number, tier in enumerate(tiers, 1):
        bound = tier["up_to"]
        low = max(start, before)
        high = end if bound is None else min(end, bound)
        if high > low:
            usage(number, tier, high - low)
        # Entered: the walk has units above the tier's beginning, and came
        # from there; an empty tier at 0 counts with the first unit.
        touched = high > low or (bound == 0 and before == 0 and end > 0)
        if touched and low == start and (number > 1 or first or unused_free):
            flat(number, tier)
        if bound is None:
            break
        start = bound
    return lines


def rate_volume(price, q, before, first, last, places):
    if before != 0:
        raise Refused(INVALID)
    if not last:
        return []
    tiers = sorted_tiers(price)
    number = next(number for number, tier in enumerate(tiers, 1)
                  if tier["up_to"] is None or q <= tier["up_to"])
    tier = tiers[number - 1]
    if price["type"] == "stairstep":
        return [Line(f"step price for tier {number}", "stairstep-price",
                     Fraction(1), tier["flat"], places)]
    lines = []
    if tier.get("flat") is not None:
        lines.append(Line(f"flat price for tier {number}",
                          "volume-flat-price", Fraction(1), tier["flat"],
                          places))
    if tier.get("unit") is not None and q != 0:
        lines.append(Line(f"unit price for tier {number}",
                          "volume-tiered-price", q, tier["unit"], places))
    return lines


def beyond(before, count, free):
    """How many of the count after before lie above the free ones."""
    return max(before + count - max(before, free), Fraction(0))


def rate_percentage(price, q, before, first, last, places, events=None):
    lines = []
    paid = beyond(before, q, price.get("free_units", Fraction(0)))
    if paid:
        lines.append(Line("usage in period", "percentage-usage", paid,
                          price["percentage"] / 100, places))
    if "fixed_amount" in price:
        if events is None:
            raise Refused(INVALID)
        paid = beyond(events[1], events[0],
                      price.get("free_events", Fraction(0)))
        if paid:
            lines.append(Line("events in period", "percentage-events", paid,
                              price["fixed_amount"], places))
    return lines


def rate_matrix(price, groups, raw, places):
    if sum((q for _, q in groups), Fraction(0)) != raw \
            or len({value for value, _ in groups}) != len(groups):
        raise Refused(INVALID)
    prices = {item["value"]: item["amount"] for item in price["values"]}
    lines = []
    for value, q in groups:
        if q <= 0:
            if q < 0 and places.flags & REFUSE:
                raise Refused(INVALID)
            continue
        amount = prices.get(value, price.get("default_amount"))
        if amount is None:
            raise Refused(INVALID)
        lines.append(Line(f"usage of {value}", f"matrix-price:{value}", q,
                          amount, places))
    return lines


MODELS = {"free": lambda *_: [], "flat": rate_flat, "unit": rate_unit,
          "package": rate_package, "dynamic": rate_dynamic,
          "graduated": rate_graduated, "volume": rate_volume,
          "graduated_percentage": rate_graduated, "stairstep": rate_volume}
ROUND = {"ceiling": ceiling, "floor": floor, "half_up": half_away}


def convert(config, raw):
    if config is None:
        return raw
    value = (divide(raw, config["conversion_factor"])
             if config["operation"] == "divide"
             else raw * config["conversion_factor"])
    mode = config.get("rounding", "none")
    return value if mode == "none" else ROUND[mode](value,
                                                    config["precision"])


def rate(card, q, before, flags, billed, credits, places, events=None,
         groups=()):
    money = Money(flags, places)
    raw = q
    price = card["price"]
    kind = price["type"]
    first, last = bool(flags & FIRST), bool(flags & LAST)
    discounts = card.get("discounts", {})
    if kind not in ("free", "flat"):
        if flags & REFUSE and (q < 0 or before < 0):
            raise Refused(INVALID)
        q, before = max(q, Fraction(0)), max(before, Fraction(0))
        config = card.get("unit_config")
        if config is not None:
            whole = convert(config, q if flags & APART else before + q)
            before = convert(config, before)
            q = whole if flags & APART else whole - before
        free = discounts.get("usage")
        if free is not None:
            spent = min(before, free)
            before, q = before - spent, q - min(q, free - spent)
    if kind == "matrix":
        lines = rate_matrix(price, groups, raw, money)
    elif kind == "percentage":
        lines = rate_percentage(price, q, before, first, last, money, events)
    else:
        lines = MODELS[kind](price, q, before, first, last, money)
    percentage = discounts.get("percentage")
    if percentage is not None:
        for line in lines:
            line.discounts += money.round(
                Widest.see(line.total * percentage / 100))
            Widest.see(line.total)
    if kind not in ("free", "flat"):
        commitments = price.get("commitments", {})
        maximum = commitments.get("maximum")
        if maximum is not None:
            running = billed
            for line in lines:
                total = line.total
                if running >= maximum:
                    line.discounts += total
                elif running + total > maximum:
                    line.discounts += money.round(
                        Widest.see(running + total - maximum))
                running += total
        minimum = commitments.get("minimum")
        if minimum is not None and last and not flags & NO_MINIMUM:
            paid = billed + sum((line.total for line in lines), Fraction(0))
            gap = money.round(minimum - paid)
            if gap > 0:
                lines.append(Line("minimum spend", "min-spend", Fraction(1),
                                  gap, money, COMMITMENT))
    for credit in credits:
        rest = half_away(credit, places)
        for line in lines:
            if line.total > 0 and rest > 0:
                part = min(line.total, rest)
                line.credits += part
                rest -= part
        if rest > 0:
            raise Refused(INVALID)
    return lines


# --- runs ---------------------------------------------------------------------
FIELDS = ("quantity", "amount", "charges", "discounts")


def copy_of(line, sign=1):
    new = Line.__new__(Line)
    new.__dict__.update(line.__dict__)
    for field in FIELDS:
        setattr(new, field, sign * getattr(line, field))
    return new


def add(line, other, sign):
    for field in FIELDS:
        setattr(line, field, getattr(line, field)
                + sign * getattr(other, field))


def is_nothing(line):
    return not (line.amount or line.charges or line.discounts)


def summed(lines):
    """Equal lines as one, the first of them, in order."""
    sums = {}
    for line in lines:
        if line.key() in sums:
            add(sums[line.key()], line, 1)
        else:
            sums[line.key()] = copy_of(line)
    return sums


def delta(current, booked, keeps_index=False):
    """What is to be booked now, in its order."""
    before = summed(booked)
    result = []
    seen = set()
    for index, line in enumerate(current):
        line = copy_of(line)
        line.index = line.index if keeps_index else index
        seen.add(line.key())
        if line.key() in before:
            add(line, before[line.key()], -1)
        result.append(line)
    for key, line in before.items():
        if key not in seen:
            line = copy_of(line, -1)
            line.child = (f"{line.pricer}#correction:detailed_line_id="
                          f"{line.id}")
            result.append(line)
    result = [line for line in result if not is_nothing(line)]
    result.sort(key=lambda line: (line.index, line.child))
    return result


def series(card, quantities, places):
    booked, texts, sums = [], [], Fraction(0)
    for run, quantity in enumerate(quantities):
        last = run + 1 == len(quantities)
        whole = rate(card, quantity, Fraction(0),
                     FIRST | LAST | (0 if last else NO_MINIMUM), Fraction(0),
                     [], places)
        lines = delta(whole, booked)
        if len({line.child for line in lines}) != len(lines):
            raise Refused("! MET_E_CONFLICT")
        for index, line in enumerate(lines):
            line.index, line.id = index, f"{run}.{index}"
        texts.append(lines_text(lines) + "/")
        booked += lines
        sums += sum((line.total for line in lines), Fraction(0))
    assert sums == sum((line.total for line in whole), Fraction(0))
    return "".join(texts)


DAY = 86400


def additions(card, quantities, has_minimum, places):
    """What every run adds to those before it; a line that is gone is taken
    back from the first period that had it."""
    lines = []
    for run, quantity in enumerate(quantities):
        is_last = has_minimum and run + 1 == len(quantities)
        whole = rate(card, quantity, Fraction(0),
                     FIRST | LAST | (0 if is_last else NO_MINIMUM),
                     Fraction(0), [], places)
        before = summed(lines)
        keys = {line.key() for line in whole}
        more = []
        for index, line in enumerate(whole):
            line.index, line.period = index, run
            if line.key() in before:
                add(line, before[line.key()], -1)
            more.append(line)
        more += [copy_of(line, -1) for key, line in before.items()
                 if key not in keys]
        lines += [line for line in more if not is_nothing(line)]
    return lines


def stamp(second):
    return (f"1970-01-{second // DAY + 1:02}T00:00:00Z")


def by_period(card, runs, places):
    """Runs of a day each; every run knows the quantities up to the end of all
    before it as they are then."""
    booked, texts = [], []
    for run, quantities in enumerate(runs):
        expected = additions(card, quantities, run + 1 == len(runs), places)
        bill = []
        for period in range(run + 1):
            due = summed(line for line in expected if line.period == period)
            paid = [line for line in booked if line.period == period]
            for line in delta(list(due.values()), paid, keeps_index=True):
                line.period = period
                line.child += (f"@[{stamp(period * DAY)}.."
                               f"{stamp(period * DAY + DAY)}]")
                bill.append(line)
        bill.sort(key=lambda line: (line.period, line.index, line.child))
        for index, line in enumerate(bill):
            line.index, line.id = index, f"{run}.{index}"
        texts.append(lines_text(bill) + "/")
        booked += bill
    whole = rate(card, runs[-1][-1], Fraction(0), FIRST | LAST, Fraction(0),
                 [], places)
    assert (sum((line.total for line in booked), Fraction(0))
            == sum((line.total for line in whole), Fraction(0)))
    return "".join(texts)


# --- money --------------------------------------------------------------------
def shares(amount, places, by_key, capped, items):
    weights = [weight for _, weight in items]
    if (amount < 0 or (amount * 10 ** places).denominator != 1
            or any(weight <= 0 for weight in weights)):
        raise Refused(INVALID)
    if not items:
        if amount:
            raise Refused(INVALID)
        return []
    if capped and (amount > sum(weights) or
                   any((weight * 10 ** places).denominator != 1
                       for weight in weights)):
        raise Refused(INVALID)
    exact = [amount * weight / sum(weights) for weight in weights]
    given = [floor(share, places) for share in exact]
    order = sorted(range(len(items)), key=lambda i: (
        given[i] - exact[i], items[i][0] if by_key else "", i))
    left = (amount - sum(given)) * 10 ** places
    for i in order[:int(left)]:
        given[i] += Fraction(1, 10 ** places)
    assert sum(given) == amount
    assert not capped or all(share <= weight
                             for share, weight in zip(given, weights))
    return given


SYMBOLS = {"USD": "$", "JPY": "\u00a5", "EUR": "\u20ac", "KWD": "KWD "}


def for_people(currency, amount):
    places = PLACES[currency]
    size = abs(amount)
    if size.denominator == 1:
        text = plain(size)
    else:
        size = half_away(size, places)
        text = plain(size)
        if places:
            whole, _, digits = text.partition(".")
            text = whole + "." + digits.ljust(places, "0")
    whole, point, digits = text.partition(".")
    marks = ".," if currency == "EUR" else ",."
    text = f"{int(whole):,}".replace(",", marks[0])
    return (("-" if amount < 0 else "") + SYMBOLS.get(currency, "TOKENS ")
            + text + (marks[1] + digits if point else ""))
