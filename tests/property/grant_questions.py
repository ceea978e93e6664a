"""Random questions about grants. Instants lie on a coarse grid, so that most
of what can coincide does."""
import datetime

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
