"""What rounds of measurements say: medians, quartiles, ratios, tables.

A row is {"case", "who", "rounds": [ns of one operation, ...], "is_base"}. In
each case the rows are set against the bases, which are our own; a ratio above
1 means that the other one takes longer.
"""
import statistics


def summary(rounds):
    """Median, lower and upper quartile, as bench.h takes them."""
    ordered = sorted(rounds)
    last = len(ordered) - 1
    quarter = len(ordered) // 4
    return (statistics.median(ordered), ordered[quarter],
            ordered[last - quarter])


def ratio(rounds, base_rounds):
    """Median of the ratios round by round: what else the machine does falls
    on both. Falls back to the medians when the rounds do not pair up."""
    if len(rounds) == len(base_rounds) and all(r > 0 for r in base_rounds):
        return statistics.median(
            one / base for one, base in zip(rounds, base_rounds))
    base = statistics.median(base_rounds)
    return statistics.median(rounds) / base if base > 0 else None


def number(value):
    """Three figures, no exponent: 7.03, 84.1, 1550."""
    if value is None:
        return ""
    size = abs(value)
    if size >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def compared(rows):
    """Rows with median, low, high and one ratio a base, cases in the order
    in which they first appear, the bases first in each."""
    out = []
    for case in dict.fromkeys(row["case"] for row in rows):
        here = [row for row in rows if row["case"] == case]
        bases = [row for row in here if row.get("is_base")]
        for row in sorted(here, key=lambda row: not row.get("is_base")):
            median, low, high = summary(row["rounds"])
            out.append({
                "case": case, "who": row["who"], "median_ns": median,
                "low_ns": low, "high_ns": high,
                "ratios": {base["who"]: ratio(row["rounds"], base["rounds"])
                           for base in bases}})
    return out


def header(rows):
    """The bases in the order in which they first appear: one column each."""
    names = {}
    for row in rows:
        names.update(dict.fromkeys(row["ratios"]))
    return list(names)


def lines(rows):
    """The table as lists of words; a case is named on its first row only."""
    bases = header(rows)
    out = [["case", "who", "median ns", "quartiles"]
           + [f"x {base}" for base in bases]]
    previous = None
    for row in rows:
        out.append(
            ["" if row["case"] == previous else row["case"], row["who"],
             number(row["median_ns"]),
             f"{number(row['low_ns'])} to {number(row['high_ns'])}"]
            + [number(row["ratios"].get(base)) for base in bases])
        previous = row["case"]
    return out


def markdown(words):
    """Pipe table; columns from the third on are numbers."""
    rule = ["---" if i < 2 else "--:" for i in range(len(words[0]))]
    return "\n".join("| " + " | ".join(line) + " |"
                     for line in [words[0], rule] + words[1:])


def text(words):
    """Columns for a terminal, numbers to the right."""
    widths = [max(len(line[i]) for line in words)
              for i in range(len(words[0]))]
    return "\n".join(
        "  ".join(word.ljust(width) if i < 2 else word.rjust(width)
                  for i, (word, width) in enumerate(zip(line, widths)))
        .rstrip() for line in words)
