"""The rules of grants, once more: one instant after the other.

Amounts are whole thousandths. The measures: 0 adds up, 1 counts what is new in
its usage period, 2 is a level.
"""
import bisect
import calendar
import datetime
import math
import re

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 10 ** 9
ACTIVITY, RECURRENCE, RESET, ROLLOVER = 1, 2, 4, 8


def number(text):
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    return sign * (int(whole) * 1000 + int((part + "000")[:3]))


def text_of(value):
    sign, value = "-" if value < 0 else "", abs(value)
    whole, part = divmod(value, 1000)
    part = f"{part:03}".rstrip("0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


# --- Calendar -----------------------------------------------------------------
def civil(ns):
    return EPOCH + datetime.timedelta(seconds=ns // SECOND), ns % SECOND


def instant(moment, ns):
    return round((moment - EPOCH).total_seconds()) * SECOND + ns


def add_months(ns, months, overflows):
    moment, rest = civil(ns)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if overflows:
        first = moment.replace(year=year, month=month + 1, day=1)
        return instant(first + datetime.timedelta(days=moment.day - 1), rest)
    last = calendar.monthrange(year, month + 1)[1]
    return instant(moment.replace(year=year, month=month + 1,
                                  day=min(moment.day, last)), rest)


def expiry(at, unit, count):
    hours = [1, 24, 168]
    if unit < 3:
        return at + count * hours[unit] * 3600 * SECOND
    return add_months(at, count * (12 if unit == 4 else 1), True)


def points(anchor, every, first, last):
    """All points of a recurrence in [first, last], counted from the anchor."""
    parts = {unit: int(n) for n, unit in
             re.findall(r"(\d+)([YMWDHm])", every.replace("30M", "30m"))}
    months = parts.get("Y", 0) * 12 + parts.get("M", 0)
    ns = ((parts.get("W", 0) * 7 + parts.get("D", 0)) * 24 * 60
          + parts.get("H", 0) * 60 + parts.get("m", 0)) * 60 * SECOND

    def point(n):
        return add_months(anchor, n * months, False) + n * ns

    if not months:
        return set(range(anchor - (anchor - first) // ns * ns, last + 1, ns))
    found = set()
    n = 0
    while (at := point(n)) <= last:
        found.add(at)
        n += 1
    n = -1
    while (at := point(n)) >= first:
        found.add(at)
        n -= 1
    return {t for t in found if first <= t <= last}


# --- Grants -------------------------------------------------------------------
class Grant:
    def __init__(self, made, last):
        self.id = made["id"]
        self.amount = number(made["amount"])
        self.low, self.high = number(made["min"]), number(made["max"])
        self.begin = made["effective"]
        expires = (expiry(self.begin, made["unit"], made["count"])
                   if "unit" in made else math.inf)
        ends = [expires, made.get("voided", math.inf),
                made.get("deleted", math.inf)]
        self.end = max(self.begin, min(ends))
        self.times = [self.begin, *ends]
        seconds = expires // SECOND if "unit" in made else math.inf
        self.order = (made["priority"], seconds, made["created"],
                      self.id.encode())
        self.recurs = set()
        if "every" in made:
            self.recurs = points(made["anchor"], made["every"], self.begin,
                                 min(last, self.end - 1))
        self.balance = 0
        self.issued = None

    def active(self, at):
        return self.begin <= at < self.end

    def due(self, at):
        return self.active(at) and (at == self.begin or at in self.recurs)


class Piece:
    """A segment of the last run: what was burned in it."""

    def __init__(self, begin, end, why):
        self.begin, self.end, self.why = begin, end, why
        self.usage = self.overage = 0
        self.held = []  # grants with a balance when it began
        self.burned = {}
        self.left = {}

    def print(self):
        words = [f"[{self.begin},{self.end},{self.why}", text_of(self.usage),
                 text_of(self.overage)]
        for name in self.held:
            words.append(name + ("!" if self.left[name] == 0 else ""))
            words.append(text_of(self.burned.get(name, 0)))
        return " ".join(words) + "]"


class Model:
    def __init__(self, asked):
        self.start = asked["start"]["at"]
        self.until = asked["until"][-1]
        # A run of no length at the end makes the changes of its instant.
        before = [self.start, *asked["until"]][-2]
        self.is_begun = before == self.until
        self.split = before
        # So does one of no length before the last.
        self.is_settled = [self.start, *asked["until"][:-1]].count(before) > 1
        self.grants = sorted((Grant(made, self.until)
                              for made in asked["grants"]),
                             key=lambda grant: grant.order)
        self.resets = {t: keeps for t, keeps in asked["resets"]
                       if self.start < t <= self.until}
        self.usage_list = [(t, number(v)) for t, v in asked["usage"]]
        self.measure = asked["measure"]
        self.bounds = asked["bounds"]
        self.windows = []
        self.pieces = self.cut()
        self.places = []  # those that are no rollovers, and those that are
        for wanted in (False, True):
            some = [piece for piece in self.pieces if wanted == bool(
                piece.why & ROLLOVER and piece.begin == piece.end)]
            self.places.append(([piece.begin for piece in some], some))
        self.begin(asked["start"])

    def begin(self, state):
        self.since = state.get("since", self.start)
        self.usage = number(state.get("usage", "0"))
        self.paid = number(state.get("paid", "0"))
        self.overage = number(state.get("overage", "0"))
        given = {name: (number(value), issued)
                 for name, value, issued in state.get("balances", [])}
        for grant in self.grants:
            if "balances" not in state and grant.active(self.start):
                grant.balance, grant.issued = grant.amount, self.start
            elif grant.id in given:
                grant.balance, issued = given[grant.id]
                grant.issued = self.start if issued else None

    # --- Segments of the last run ---
    def cut(self):
        pieces = []
        begin = self.split
        for end in sorted(t for t in self.resets if t > begin):
            self.cut_span(pieces, begin, end, RESET)
            pieces.append(Piece(end, end, ROLLOVER))
            begin = end
        self.cut_span(pieces, begin, self.until, 0)
        if begin < self.until and self.recur_at(self.until):
            pieces[-1].why |= RECURRENCE
            pieces.append(Piece(self.until, self.until, 0))
        return pieces

    def recur_at(self, at):
        return any(at in grant.recurs for grant in self.grants)

    def cut_span(self, pieces, begin, end, why):
        changes = {t for grant in self.grants for t in grant.times}
        recurs = {t for grant in self.grants for t in grant.recurs}
        cuts = sorted(t for t in changes | recurs if begin < t < end)
        for a, b in zip([begin, *cuts], [*cuts, end]):
            pieces.append(Piece(a, b, why if b == end else
                                (ACTIVITY if b in changes else 0)
                                | (RECURRENCE if b in recurs else 0)))

    def piece_at(self, at, is_rollover=False):
        """The one that an instant's payments belong to, or None."""
        if at < self.split:
            return None
        begins, pieces = self.places[is_rollover]
        index = bisect.bisect_right(begins, at)
        return pieces[index - 1] if index > 0 else None

    # --- Paying ---
    def pay(self, at, amount, piece, but_due=False):
        for grant in self.grants:
            if amount <= 0:
                break
            if not grant.active(at) or (but_due and grant.due(at)):
                continue
            part = min(grant.balance, amount)
            grant.balance -= part
            amount -= part
            self.paid += part
            if piece is not None:
                piece.burned[grant.id] = piece.burned.get(grant.id, 0) + part
        return amount

    def hold(self, piece, at, but_due=False):
        piece.held = [grant.id for grant in self.grants
                      if grant.active(at) and grant.balance > 0
                      and not (but_due and grant.due(at))]

    def reset(self, at):
        for grant in self.grants:
            if grant.active(at):
                grant.balance = min(grant.high, max(grant.low, grant.balance))
        if not self.resets[at]:
            self.overage = 0
        self.since, self.usage, self.paid = at, 0, 0
        self.seen = set()
        piece = self.piece_at(at, True) if at > self.split else None
        if self.overage > 0:
            if piece is not None:
                self.hold(piece, at, True)
            self.overage = self.pay(at, self.overage, piece, True)
        if piece is not None:
            piece.overage = self.overage
            piece.left = {g.id: g.balance for g in self.grants}

    def issue(self, at):
        for grant in self.grants:
            if not grant.active(at):
                grant.balance = 0
            elif grant.due(at) and grant.issued != at:
                grant.balance, grant.issued = grant.amount, at

    def event(self, at, value, piece):
        if self.measure == 1:
            if value in self.seen:
                return
            self.seen.add(value)
            value = 1000
        self.usage += value
        if piece is not None:
            piece.usage += value
        self.overage = self.pay(at, self.overage + value, piece)

    def run(self):
        times = {self.start, self.until, *self.resets, *self.bounds,
                 *(p.begin for p in self.pieces)}
        for grant in self.grants:
            times |= {t for t in grant.times if self.start < t < self.until}
            times |= {t for t in grant.recurs if t > self.start}
        events = {}
        for at, value in self.usage_list:
            if self.start <= at < self.until:
                events.setdefault(at, []).append(value)
        times |= set(events)
        self.seen = {v for t, v in self.usage_list
                     if self.since <= t < self.start}
        window_usage = 0
        for at in sorted(t for t in times if t <= self.until):
            if at in self.resets:
                self.reset(at)
            ends_here = at == self.until and not (
                self.is_begun or at in self.resets
                or (self.recur_at(at) and at > self.start)
                or at == self.start)
            # What a run before the last has paid at its end is not the last's.
            was_paid = at == self.split and (self.is_settled or (
                at > self.start
                and (at in self.resets or self.recur_at(at))))
            piece = None if ends_here else self.piece_at(at)
            if not ends_here:
                self.issue(at)
                if was_paid:
                    self.overage = self.pay(at, self.overage, None)
                if piece is not None and piece.begin == at:
                    self.hold(piece, at)
                if not was_paid:
                    self.overage = self.pay(at, self.overage, piece)
            if at in self.bounds:
                if self.windows:
                    self.windows[-1][0] = window_usage
                window_usage = 0
                self.windows.append([0, *self.value(at)[0::2][:2]])
            for value in events.get(at, ()):
                before = self.usage
                self.event(at, value, piece)
                window_usage += self.usage - before
            if piece is not None:
                piece.overage = self.overage
                piece.left = {g.id: g.balance for g in self.grants}

    # --- Answers ---
    def value(self, at):
        left = sum(g.balance for g in self.grants if g.active(at))
        return (left - min(0, self.overage), self.usage,
                max(0, self.overage), left + self.paid)


class Level(Model):
    """A level is held against the grants in force; nothing is owed."""

    def level(self, since, at):
        found = [v for t, v in self.usage_list if since <= t < at]
        return found[-1] if found else 0

    def since_at(self, at):
        return max([t for t in self.resets if t <= at], default=self.first)

    def hold_level(self, begin, end, piece):
        self.since = self.since_at(begin)
        self.usage = rest = self.level(self.since, end)
        self.paid = 0
        for grant in self.grants:
            grant.balance = grant.amount if grant.active(begin) else 0
            grant.issued = begin if grant.active(begin) else grant.issued
        piece.usage = rest
        self.hold(piece, begin)
        self.overage = self.pay(begin, rest, piece)
        piece.overage = self.overage
        piece.left = {g.id: g.balance for g in self.grants}

    def run(self):
        self.first = self.since
        issued = [grant.issued for grant in self.grants]
        for a, b in zip(self.bounds, self.bounds[1:]):
            self.hold_level(a, a, Piece(a, a, 0))
            balance, _, overage, _ = self.value(a)
            self.windows.append([self.level(self.since_at(b), b), balance,
                                 overage])
        self.windows.append(None)
        for grant, at in zip(self.grants, issued):
            grant.issued = at
        for piece in self.pieces:
            if not piece.why & ROLLOVER:
                self.hold_level(piece.begin, piece.end, piece)


def passed(asked, value):
    balance, usage, _, available = value
    reached = asked["when_reached"]
    best = [-1, -1]
    marks = [0, 0]
    for index, (kind, text) in enumerate(asked["thresholds"]):
        mark = number(text)
        if available == 0:
            break
        if kind == 2:
            if (balance < mark or (reached and balance == mark)) and (
                    best[1] < 0 or mark < marks[1]):
                best[1], marks[1] = index, mark
            continue
        mark = mark * 100000 if kind == 0 else mark * available
        if (usage * 100000 > mark or (reached and usage * 100000 == mark)
                ) and (best[0] < 0 or mark >= marks[0]):
            best[0], marks[0] = index, mark
    return best


def answer(asked):
    model = (Level if asked["measure"] == 2 else Model)(asked)
    model.run()
    value = model.value(model.until)
    words = ["=", *map(text_of, value), "|", str(model.since),
             text_of(model.paid), text_of(model.overage), "|"]
    for grant in model.grants:
        words.append(f"{grant.id}:{text_of(grant.balance)}:"
                     f"{int(grant.issued == model.until)}")
    words.append("|")
    for row in model.windows[:-1]:
        words += map(text_of, row)
    words.append("|")
    words += [piece.print() for piece in model.pieces]
    words += ["|", *map(str, passed(asked, value))]
    return " ".join(words)
