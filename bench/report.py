"""bench/run --report: docs/performance.md and its pictures.

Plots are plain SVG, drawn here: bars of ratios, and lines over a growing
number. Time goes up by powers, for what is compared is how many times as long.
"""
import math

COLOURS = ("#1f5fa8", "#c1502e", "#3c8a4d", "#8a4fa3", "#b58a1b", "#4a9aa8",
           "#8b5a3c", "#666666", "#d06a9c", "#7f8f2f", "#2f4f7f", "#a03040")
LEFT, RIGHT, TOP, BOTTOM = 62, 250, 34, 40
WIDE, HIGH = 360, 240


def escaped(text):
    """For the inside of an element."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;")


def short(value):
    """1,000 as 1k, 1,048,576 as 1M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def text(x, y, words, anchor="start", size=11, colour="#333"):
    """One piece of writing."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}" fill="{colour}">{escaped(words)}</text>')


def page(wide, high, parts):
    """A whole picture."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" '
            f'height="{high}" font-family="sans-serif">\n'
            f'<rect width="{wide}" height="{high}" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def decades(low, high):
    """Powers of ten around what is shown."""
    first = math.floor(math.log10(low))
    last = max(first + 1, math.ceil(math.log10(high)))
    return [10.0 ** power for power in range(first, last + 1)]


def lines(title, across, up, series):
    """{name: [(number, value), ...]} as lines, both axes by powers."""
    points = [point for row in series.values() for point in row]
    assert points and all(x > 0 and y > 0 for x, y in points), title
    ticks = decades(min(y for _, y in points), max(y for _, y in points))
    numbers = sorted({x for x, _ in points})

    def at(x, y):
        low, high = math.log(numbers[0]), math.log(numbers[-1])
        part = (math.log(x) - low) / (high - low) if high > low else 0.5
        rise = (math.log10(y) - math.log10(ticks[0])) \
            / (math.log10(ticks[-1]) - math.log10(ticks[0]))
        return LEFT + part * WIDE, TOP + HIGH - rise * HIGH

    parts = [text(LEFT, 18, title, size=13)]
    for tick in ticks:
        _, y = at(numbers[0], tick)
        parts.append(f'<path d="M{LEFT} {y:.1f}h{WIDE}" stroke="#ddd"/>')
        parts.append(text(LEFT - 6, y + 4, short(tick), "end"))
    for number in numbers:
        x, _ = at(number, ticks[0])
        parts.append(text(x, TOP + HIGH + 16, short(number), "middle"))
    parts.append(text(LEFT + WIDE / 2, TOP + HIGH + 33, across, "middle"))
    parts.append(text(6, TOP - 6, up, size=10, colour="#777"))
    for i, (name, row) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        way = "L".join("{:.1f} {:.1f}".format(*at(*point))
                       for point in sorted(row))
        parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" '
                     f'stroke-width="{2.5 if i == 0 else 1.5}"/>')
        for point in row:
            x, y = at(*point)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" '
                         f'fill="{colour}"/>')
        parts.append(text(LEFT + WIDE + 14, TOP + 14 + 17 * i, name,
                          colour=colour))
    return page(LEFT + WIDE + RIGHT,
                max(TOP + HIGH + BOTTOM, TOP + 20 + 17 * len(series)), parts)


def bars(title, rows):
    """[(name, ratio)]: how many times as long as the first one."""
    longest = max(value for _, value in rows)
    parts = [text(12, 18, title, size=13)]
    for i, (name, value) in enumerate(rows):
        y = TOP + 20 * i
        wide = max(1.0, 330 * math.log1p(value) / math.log1p(longest))
        parts.append(text(212, y + 12, name, "end"))
        parts.append(f'<rect x="220" y="{y}" width="{wide:.1f}" height="15" '
                     f'fill="{COLOURS[0] if i == 0 else "#9ab"}"/>')
        parts.append(text(226 + wide, y + 12, f"{value:.3g}"))
    return page(640, TOP + 20 * len(rows) + 8, parts)


# What bench_scaling calls a picture -> its title, and what both axes say.
GROWING = {
    "threads": ("Decisions of several threads at once", "threads",
                "ns of processor time, one decision"),
    "keys": ("One decision of a key chosen at random, ours", "live keys",
             "ns of processor time"),
    "memory": ("Memory of what is alive", "how many are alive",
               "bytes for each"),
    "work": ("The cost of more", "how many",
             "ns of processor time for each"),
}


def growing(rows):
    """{file name: (what it shows, SVG)} of rows that name their picture."""
    out = {}
    for plot, (title, across, up) in GROWING.items():
        series = {}
        for row in rows:
            if row.get("plot") == plot:
                series.setdefault(row["series"], []).append(
                    (row["at"], row.get("bytes_each", row["ns"])))
        if series:
            out[f"performance_scaling_{plot}.svg"] = (
                title, lines(title, across, up, series))
    return out


def pictures(compared, by_keys):
    """{file name: (what it shows, SVG)}. compared: rows of table.compared;
    by_keys: {keys: such rows}, of the limiter."""
    out = {}
    for case in dict.fromkeys(row["case"] for row in compared):
        rows = [row for row in compared if row["case"] == case]
        base = rows[0]["who"]
        ratios = [(row["who"], row["ratios"].get(base)) for row in rows]
        ratios = [(who, value) for who, value in ratios if value]
        if len(ratios) > 1:
            name = "".join(c if c.isalnum() else "_" for c in case)
            out[f"performance_{name}.svg"] = (
                f"{case}: times as long as {base}",
                bars(f"{case}: times as long as {base}", ratios))
    series = {}
    for keys, rows in sorted(by_keys.items()):
        for row in rows:
            if row["case"].startswith("many keys"):
                series.setdefault(row["who"], []).append(
                    (keys, row["median_ns"]))
    series = {who: row for who, row in series.items() if len(row) > 1}
    if series:
        out["performance_keys.svg"] = (
            "one decision over the number of keys",
            lines("One decision of a key chosen at random", "keys",
                  "ns, processor time", series))
    return out


def write(folder, machine, date, tables, images):
    """performance.md and the pictures."""
    for name, (_, image) in images.items():
        (folder / name).write_text(image)
    words = [f"# Performance\n\nWritten by `bench/run --report` on {date}: "
             f"{machine}. Ratios are what counts; [bench/README.md]"
             "(../bench/README.md) says what is measured and how.\n"]
    for title, body in tables:
        words.append(f"## {title}\n\n{body}\n")
    words.append("## Pictures\n")
    words += [f"![{what}]({name})\n" for name, (what, _) in images.items()]
    (folder / "performance.md").write_text("\n".join(words))
