"""Random questions about grants. Instants lie on a coarse grid, so that most
of what can coincide does."""
import datetime

from grant_model import points

UTC = datetime.timezone.utc
HOUR = 3600 * 10 ** 9
DAY = 24 * HOUR
# Days at which months differ in length.
STARTS = [(2024, 1, 29), (2023, 1, 30), (2025, 12, 31), (2024, 2, 27)]


def amount(rng, least=1):
    """A text of at most three decimals."""
    whole = rng.choice([rng.randrange(0, 20), rng.randrange(0, 300)])
    part = rng.choice(["", "", ".5", ".1", ".125", ".001"])
    text = f"{whole}{part}"
    return text if float(text) > 0 or not least else "1"


def grant(rng, name, at, every):
    effective = at()
    made = {"id": name, "amount": amount(rng), "priority": rng.randrange(3),
            "created": rng.randrange(3) * HOUR, "effective": effective,
            "min": "0", "max": "0"}
    if rng.random() < 0.5:
        made["max"] = rng.choice([made["amount"], amount(rng)])
        made["min"] = rng.choice(["0", amount(rng, 0)])
    if rng.random() < 0.6:
        made["unit"] = rng.randrange(5)
        made["count"] = rng.choice([1, 2, 3, 5, 13, 30])
    for end in ("voided", "deleted"):
        if rng.random() < 0.15:
            made[end] = at()
    if rng.random() < 0.4:
        made["every"] = rng.choice(every)
        made["anchor"] = rng.choice([effective, at(), at() - 400 * DAY,
                                     at() + 90 * DAY])
    return made


def question(rng):
    step = rng.choice([HOUR, HOUR, DAY, 7 * DAY])
    every = {HOUR: ["PT1H", "PT5H", "P1D", "PT7H30M"],
             DAY: ["P1D", "P1W", "P1M", "P5D"],
             7 * DAY: ["P1M", "P1W", "P3M", "P1Y"]}[step]
    base = int(datetime.datetime(*rng.choice(STARTS), tzinfo=UTC)
               .timestamp()) * 10 ** 9

    def at():
        offset = rng.choice([0, 0, 0, 0, 0, 1, HOUR // 120])
        return base + rng.randrange(24) * step + offset

    grants = [grant(rng, f"g{n}", at, every)
              for n in rng.sample(range(12), rng.choice([0, 1, 2, 2, 3, 5]))]
    start = base + rng.randrange(10) * step
    untils = sorted(start + rng.randrange(20) * step
                    + rng.choice([0, 0, 0, HOUR // 7])
                    for _ in range(rng.choice([1, 1, 2, 3, 6])))
    measure = rng.choice([0, 0, 0, 0, 1, 2])
    usage = sorted((at(), amount(rng, 0) if measure != 1
                    else str(rng.randrange(9)))
                   for _ in range(rng.choice([0, 3, 10, 30])))
    resets = sorted({at() for _ in range(rng.choice([0, 0, 1, 2, 5]))})
    bounds = sorted({start, *(rng.randrange(start, untils[-1] + 1)
                              if rng.random() < 0.2 else
                              min(start + rng.randrange(20) * step,
                                  untils[-1])
                              for _ in range(rng.choice([0, 0, 3])))})
    state = {"at": start}
    if rng.random() < 0.5:
        state |= {"since": start - rng.randrange(5) * step,
                  "usage": amount(rng, 0), "paid": amount(rng, 0),
                  "overage": rng.choice(["0", amount(rng, 0), "-3.5"]),
                  "balances": [[g["id"], amount(rng, 0),
                                rng.randrange(2)] for g in grants
                               if rng.random() < 0.8]}
        if measure == 1:
            state["usage"] = str(len({v for t, v in usage
                                      if state["since"] <= t < start}))
    return {"measure": measure, "grants": grants, "usage": usage,
            "resets": [[t, rng.randrange(2)] for t in resets],
            "start": state, "until": untils, "bounds": bounds,
            "thresholds": [[rng.randrange(3), amount(rng)]
                           for _ in range(rng.choice([0, 4]))],
            "when_reached": rng.randrange(2)}


# --- Long times in which little happens ---------------------------------------
MINUTE = HOUR // 60


def points_of(anchor, every, begin, end, by_minutes):
    found = points(anchor, every, begin - MINUTE, end + MINUTE)
    if by_minutes:
        found = {t - t % MINUTE for t in found}
    return {t for t in found if begin < t < end}


def idle_question(rng):
    """Hundreds of periods; usage, grants and debts only here and there."""
    step, often = rng.choice([
        (HOUR, ["PT1H", "PT1H", "PT5H", "P1D", "PT7H30M"]),
        (DAY, ["P1D", "P1W", "P1M", "PT36H"]),
        (28 * DAY, ["P1M", "P1M", "P3M", "P1Y", "P5W"])])
    base = int(datetime.datetime(*rng.choice(STARTS), tzinfo=UTC)
               .timestamp()) * 10 ** 9
    span = rng.choice([60, 200, 500])
    places = [rng.randrange(span) for _ in range(rng.choice([2, 4, 8]))]

    def at():
        place = rng.choice([*places, *places, rng.randrange(span)])
        return (base + (place + rng.choice([0, 0, 0, 1])) * step
                + rng.choice([0, 0, 0, 7 * MINUTE]))

    def anchor():
        return rng.choice([at(), base - 400 * DAY, base + 90 * DAY,
                           base + rng.randrange(60) * MINUTE])

    grants = []
    for n in range(rng.choice([0, 1, 1, 2, 3])):
        made = grant(rng, f"g{n}", at, often)
        made["effective"] = rng.choice([base, base, made["effective"]])
        if rng.random() < 0.5:
            made.pop("unit", None)
        if rng.random() < 0.6:
            made.pop("every", None)
        if "every" in made:
            made["anchor"] = anchor()
        elif rng.random() < 0.5:  # as what an entitlement issues
            made["min"] = made["max"] = made["amount"]
        grants.append(made)
    start = base + rng.randrange(3) * step
    end = base + (span + rng.randrange(9)) * step + rng.choice([0, 0, 1])
    untils = sorted(rng.choice([[end], [at() + step, end], [end, end],
                                [max(start, at()), end]]))
    untils = [max(until, start) for until in untils]
    by_minutes = rng.randrange(2)
    begins = sorted({at() for _ in range(rng.choice([0, 0, 1, 2]))})
    begins = [t for t in begins if t > start]
    cycles = []
    for begin, over in zip([start - step, *begins],
                           [*begins, end + 3 * step]):
        if rng.random() < 0.85:
            cycles.append([anchor() + by_minutes * rng.randrange(2) * 7,
                           rng.choice(often), begin, over, rng.randrange(2),
                           by_minutes])
    resets = {}
    for row in cycles:
        resets |= {t: row[4] for t in
                   points_of(row[0], row[1], row[2], row[3], row[5])}
    begins = [[t, rng.randrange(2)] for t in begins]
    resets |= dict(begins)
    asked = question(rng)
    measure = rng.choice([0, 0, 0, 1, 2])
    usage = sorted((at() + rng.randrange(3), amount(rng, 0)
                    if measure != 1 else str(rng.randrange(9)))
                   for _ in range(rng.choice([0, 1, 4, 12])))
    state = {"at": start}
    if rng.random() < 0.5:
        state |= {"since": start - step, "usage": "0",
                  "paid": amount(rng, 0),
                  "overage": rng.choice(["0", "-3.5", "3000", "400.25",
                                         str(rng.randrange(20000))]),
                  "balances": [[g["id"], amount(rng, 0), rng.randrange(2)]
                               for g in grants]}
        usage = [event for event in usage if event[0] >= start]
    return asked | {"measure": measure, "grants": grants, "usage": usage,
                    "begins": begins, "cycles": cycles, "bounds": [],
                    "resets": [[t, keeps] for t, keeps
                               in sorted(resets.items())],
                    "start": state, "until": untils}
