#!/usr/bin/env python3
"""Compares base's decimals and calendar with Python's integers, fractions and
datetime, over seeded random questions.

    base_oracle.py DRIVER [--count N] [--seed S] [--plant]

--plant spoils one expectation in a thousand and must end with a failure: the
proof that a difference is seen. The last line is "N passed, N failed".
"""
import argparse
import calendar
import datetime
import random
import subprocess
import sys
from fractions import Fraction

DIGITS = 34
MODES = {1: "half_away", 2: "half_even", 3: "down", 4: "up", 5: "floor",
         6: "ceiling"}
INVALID, OVERFLOW = "! MET_E_INVALID", "! MET_E_OVERFLOW"
TIME_MAX = 7289654399999999999
EPOCH = datetime.datetime(1970, 1, 1)


# --- decimals: a value is (coefficient, power of ten) -------------------------
def fraction(value):
    return Fraction(value[0]) * Fraction(10) ** value[1]


def text(value):
    coefficient, power = value
    sign = "-" if coefficient < 0 else ""
    return f"{sign}{abs(coefficient)}e{power}"


def plain(exact):
    """Plain notation of a Fraction that has a finite decimal expansion."""
    sign = "-" if exact < 0 else ""
    exact = abs(exact)
    places = 0
    scaled = exact
    while scaled.denominator != 1:
        scaled *= 10
        places += 1
    digits = str(scaled.numerator).rjust(places + 1, "0")
    out = digits if places == 0 else digits[:-places] + "." + digits[-places:]
    return sign + out


def digits_needed(exact):
    """Significant digits of a finite decimal."""
    if exact == 0:
        return 1
    exact = abs(exact)
    while exact.denominator != 1:
        exact *= 10
    return len(str(exact.numerator).rstrip("0"))


def finite(exact):
    rest = exact.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def rounded(exact, places, mode):
    scaled = exact * 10 ** places
    low = scaled.numerator // scaled.denominator
    rest = scaled - low
    negative = scaled < 0
    if rest == 0:
        result = low
    elif mode == "floor":
        result = low
    elif mode == "ceiling":
        result = low + 1
    elif mode == "down":
        result = low + 1 if negative else low
    elif mode == "up":
        result = low if negative else low + 1
    elif rest != Fraction(1, 2):
        result = low + (rest > Fraction(1, 2))
    elif mode == "half_even":
        result = low + low % 2
    else:
        result = low if negative else low + 1
    return Fraction(result, 10 ** places)


def answer(exact):
    if digits_needed(exact) > DIGITS:
        return OVERFLOW
    shown = plain(exact)
    # A text has 95 characters at most, sign, point and one digit included.
    whole, _, decimals = shown.lstrip("-").partition(".")
    size = 1 + len(whole) + (len(decimals) > 0) + len(decimals) + 1
    return OVERFLOW if size > 96 else "= " + shown


def some_coefficient(rng):
    kind = rng.randrange(6)
    digits = rng.randint(1, DIGITS)
    if kind == 0:
        value = rng.randrange(10 ** digits)
    elif kind == 1:
        value = 10 ** digits - 1 - rng.randrange(3)
    elif kind == 2:
        value = 10 ** (digits - 1) + rng.randrange(3)
    elif kind == 3:
        value = 5 * 10 ** (digits - 1) + rng.randint(-1, 1)
    elif kind == 4:
        value = rng.randrange(1000)
    else:
        value = rng.randrange(10 ** 6) * 10 ** rng.randrange(10)
    value = min(max(value, 0), 10 ** DIGITS - 1)
    return -value if rng.randrange(3) == 0 else value


def some_decimal(rng):
    return some_coefficient(rng), rng.randint(-20, 12)


def near_tie(rng):
    """a, b, places so that a / b is a tie or one unit off it."""
    places = rng.randrange(12)
    b = rng.randint(1, 10 ** rng.randint(1, 14))
    q = rng.randrange(10 ** rng.randint(1, 12)) * 10 + 5
    a = q * b + rng.choice([-1, 0, 0, 1])
    sign = rng.choice([-1, 1])
    if a >= 10 ** DIGITS:
        return near_tie(rng)
    return (sign * a, -places - 1), (b, 0), places


def inexact_rounding(exact, places, mode):
    """What one rounding must give, or an error when 34 digits cannot."""
    result = rounded(exact, places, mode)
    if result != 0 and len(str(abs(result.numerator) * 10 ** places
                               // result.denominator)) > DIGITS:
        return None  # more than 34 digits at these places: refused
    return result


def ask_decimal(rng):
    what = rng.choice(["add", "subtract", "multiply", "divide", "divide",
                       "multiply_rounded", "round", "compare", "divide_whole",
                       "divide_peer", "parse", "fixed", "scaled"])
    a, b = some_decimal(rng), some_decimal(rng)
    mode = rng.randint(1, 6)
    places = rng.randrange(25)
    if what in ("add", "subtract", "multiply"):
        exact = {"add": fraction(a) + fraction(b),
                 "subtract": fraction(a) - fraction(b),
                 "multiply": fraction(a) * fraction(b)}[what]
        return f"{what} {text(a)} {text(b)}", [answer(exact)]
    if what == "compare":
        if rng.randrange(4) == 0:
            zeros = rng.randrange(5)
            if abs(a[0]) * 10 ** zeros < 10 ** DIGITS:
                b = a[0] * 10 ** zeros, a[1] - zeros
        order = (fraction(a) > fraction(b)) - (fraction(a) < fraction(b))
        return f"compare {text(a)} {text(b)}", [f"= {order}"]
    if what == "round":
        exact = fraction(a)
        if -a[1] <= places:
            return f"round {text(a)} {places} {mode}", [answer(exact)]
        result = inexact_rounding(exact, places, MODES[mode])
        return (f"round {text(a)} {places} {mode}",
                [OVERFLOW if result is None else answer(result)])
    if what in ("divide", "multiply_rounded"):
        if what == "divide" and rng.randrange(2):
            a, b, places = near_tie(rng)
        if what == "divide" and b[0] == 0:
            expected = INVALID
        else:
            exact = (fraction(a) / fraction(b) if what == "divide"
                     else fraction(a) * fraction(b))
            result = rounded(exact, places, MODES[mode])
            representable = (finite(exact) and digits_needed(exact) <= DIGITS)
            if not representable:
                result = inexact_rounding(exact, places, MODES[mode])
            expected = OVERFLOW if result is None else answer(result)
        return f"{what} {text(a)} {text(b)} {places} {mode}", [expected]
    if what == "divide_whole":
        a = some_coefficient(rng), rng.randint(-6, 0)
        b = rng.randint(1, 10 ** 9), rng.randint(-6, 0)
        quotient = fraction(a) // fraction(b)
        rest = fraction(a) - quotient * fraction(b)
        if (len(str(abs(quotient))) > DIGITS or digits_needed(rest) > DIGITS):
            return ask_decimal(rng)
        return (f"divide_whole {text(a)} {text(b)}",
                ["= " + plain(Fraction(quotient)), "= " + plain(rest)])
    if what == "divide_peer":
        a = rng.randint(-10 ** 12, 10 ** 12), rng.randint(-4, 0)
        b = rng.randint(1, 10 ** 9), rng.randint(-4, 0)
        exact = fraction(a) / fraction(b)
        twelve = rounded(exact, 12, "down")
        result = (twelve if twelve == exact
                  else rounded(exact, 16, "half_away"))
        return f"divide_peer {text(a)} {text(b)}", [answer(result)]
    if what == "fixed":
        places = rng.randrange(8)
        exact = fraction(a)
        if abs(a[0]) >= 10 ** 20 or abs(a[1]) > 10:
            return ask_decimal(rng)
        shown = exact * 10 ** places
        if shown.denominator != 1:
            return f"fixed {text(a)} {places}", [INVALID]
        number = str(abs(shown.numerator)).rjust(places + 1, "0")
        if places:
            number = number[:-places] + "." + number[-places:]
        sign = "-" if exact < 0 else ""
        return f"fixed {text(a)} {places}", [f"= {sign}{number}"]
    if what == "scaled":
        places = rng.randrange(10)
        if abs(a[0]) >= 10 ** 18:
            a = a[0] % 10 ** 18, a[1]
        result = rounded(fraction(a), places, MODES[mode]) * 10 ** places
        ok = -2 ** 63 <= result < 2 ** 63
        return (f"scaled {text(a)} {places} {mode}",
                [f"= {result.numerator}" if ok else OVERFLOW])
    return ask_parse(rng)


def ask_parse(rng):
    if rng.randrange(3) == 0:
        bad = rng.choice(["", "+1", ".5", "1.", "1e", "1e+", "0x1", "1_0",
                          "NaN", "inf", "-", "--1", "1e5x", "1e5.5", "1,5",
                          "-.1", "1..2", "e5", "1e--5", "Infinity", "1E1E1"])
        return f"parse {bad}", [INVALID]
    whole = "".join(rng.choice("0123456789")
                    for _ in range(rng.randint(1, 20)))
    part = "".join(rng.choice("0123456789")
                   for _ in range(rng.randint(1, 18)))
    word = rng.choice(["", "-"]) + whole
    exact = Fraction(int(whole))
    if rng.randrange(2):
        word += "." + part
        exact += Fraction(int(part), 10 ** len(part))
    if rng.randrange(3) == 0:
        power = rng.randint(-45, 45)
        word += rng.choice("eE") + rng.choice(["", "+"] if power >= 0
                                              else [""]) + str(power)
        if abs(power) > 40:
            return f"parse {word}", [OVERFLOW]
        exact *= Fraction(10) ** power
    return f"parse {word}", [answer(-exact if word[0] == "-" else exact)]


# --- calendar -----------------------------------------------------------------
def civil(ns):
    return EPOCH + datetime.timedelta(microseconds=ns // 1000), ns % 1000


def to_ns(at, rest):
    delta = at - EPOCH
    return ((delta.days * 86400 + delta.seconds) * 10 ** 9
            + delta.microseconds * 1000 + rest)


def add_duration(ns, parts, count):
    """Years and months clamped, then weeks, days and the clock."""
    years, months, weeks, days, hours, minutes, seconds = (
        part * count for part in parts)
    at, rest = civil(ns)
    for shift in (years * 12, months):
        index = at.year * 12 + at.month - 1 + shift
        year, month = divmod(index, 12)
        if not 1 <= year <= 9999:
            return None
        day = min(at.day, calendar.monthrange(year, month + 1)[1])
        at = at.replace(year=year, month=month + 1, day=day)
    try:
        at += datetime.timedelta(weeks=weeks, days=days, hours=hours,
                                 minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
    return to_ns(at, rest)


def in_range(ns):
    return ns is not None and 0 <= ns <= TIME_MAX


def some_parts(rng):
    parts = [0] * 7
    for at in rng.sample(range(7), rng.randint(1, 3)):
        parts[at] = rng.choice([1, 1, 2, 3, 6, 12, 30, 365]) \
            if at < 4 else rng.randint(1, 100)
    return parts


def duration_text(parts):
    out = "P"
    for at, unit in enumerate("YMWDHMS"):
        if at == 4 and any(parts[4:]):
            out += "T"
        if parts[at]:
            out += f"{parts[at]}{unit}"
    return out


def some_ns(rng):
    if rng.randrange(4):
        year = rng.randint(1970, 2200)
        month = rng.randint(1, 12)
        last = calendar.monthrange(year, month)[1]
        day = rng.choice([1, last, rng.randint(1, last)])
        at = datetime.datetime(year, month, day, rng.randrange(24),
                               rng.randrange(60), rng.randrange(60))
        return to_ns(at, 0) + rng.choice([0, 0, 1, 999999999])
    return rng.choice([0, 1, TIME_MAX, TIME_MAX - 1, rng.randint(0, TIME_MAX)])


def rfc3339(ns):
    at, rest = civil(ns)
    out = at.strftime("%Y-%m-%dT%H:%M:%S")
    part = (ns % 10 ** 9)
    if part:
        out += f".{part:09}".rstrip("0")
    return out + "Z"


def ask_calendar(rng):
    what = rng.choice(["time", "print", "duration", "add_duration", "period",
                       "period", "divides"])
    ns = some_ns(rng)
    parts = some_parts(rng)
    if what == "print":
        return f"print {ns}", ["= " + rfc3339(ns)]
    if what == "time":
        if rng.randrange(4) == 0:
            bad = rng.choice(["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
                              "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z",
                              "2026-01-01", "2026-01-01T00:00:00",
                              "2026-01-01T00:00:00.Z", "1969-12-31T23:59:59Z",
                              "2201-01-01T00:00:00Z", "20260101T000000Z",
                              "2026-01-01T00:00:00+24:00",
                              "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z"])
            return f"time {bad}", [INVALID]
        offset = rng.choice([0, 0, 60, -90, 330, 1439, -1439])
        local = ns + offset * 60 * 10 ** 9
        shown = civil(local)[0]
        word = shown.strftime("%Y-%m-%dT%H:%M:%S")
        if ns % 10 ** 9:
            word += f".{ns % 10 ** 9:09}"
        sign = "-" if offset < 0 else "+"
        word += "Z" if offset == 0 else \
            f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        if not 1970 - 1 <= shown.year <= 2200 + 1:
            return ask_calendar(rng)
        return f"time {word}", [f"= {ns}"]
    if what == "duration":
        return f"duration {duration_text(parts)}", ["= " + duration_text(parts)]
    if what == "divides":
        other = some_parts(rng)

        def extent(p, days, hours):
            whole = (p[0] * 12 + p[1]) * days + p[2] * 7 + p[3]
            return ((whole * hours + p[4]) * 60 + p[5]) * 60 + p[6]
        fits = all(extent(parts, days, hours) % extent(other, days, hours) == 0
                   for days in range(28, 32) for hours in range(23, 26))
        return (f"divides {duration_text(parts)} {duration_text(other)}",
                [f"= {int(fits)}"])
    if what == "add_duration":
        count = rng.choice([1, 1, 1, -1, 2, 12, 0, rng.randint(-50, 50)])
        result = add_duration(ns, parts, count)
        return (f"add_duration {ns} {duration_text(parts)} {count}",
                [f"= {result}" if in_range(result) else INVALID])
    anchor = some_ns(rng)
    return (f"period {anchor} {duration_text(parts)} {ns}",
            [find_period(anchor, parts, ns)])


def find_period(anchor, parts, ns):
    """By bisection: point(n) grows with n."""
    def point(n):
        value = add_duration(anchor, parts, n)
        if value is None:
            return -10 ** 30 if n < 0 else 10 ** 30
        return value
    low, high = -1, 1
    while point(low) > ns:
        low *= 2
    while point(high) <= ns:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if point(middle) <= ns:
            low = middle
        else:
            high = middle
    start, end = point(low), point(low + 1)
    if not in_range(start) or not in_range(end):
        return INVALID
    return f"= {start} {end} {low}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    questions, expected = [], []
    for index in range(options.count):
        ask = ask_decimal if index % 3 else ask_calendar
        question, answers = ask(rng)
        if options.plant and index % 1000 == 7:
            answers = ["= planted"] + answers[1:]
        questions.append(question)
        expected.append(answers)
    out = subprocess.run([options.driver], input="\n".join(questions) + "\n",
                         capture_output=True, text=True, check=True).stdout
    got = iter(out.splitlines())
    failed = 0
    for question, answers in zip(questions, expected):
        lines = [next(got, "(nothing)") for _ in answers]
        if lines != answers:
            failed += 1
            if failed <= 20:
                print(f"{question}\n  expected {answers}\n  got      {lines}")
    print(f"{options.count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
