#!/usr/bin/env python3
"""A flame graph of where a program spends its time, as one SVG.

    bench/flame.py FUNCTION PROGRAM [ARGUMENT ...] >graph.svg
    bench/flame.py FUNCTION --pid PROCESS >graph.svg

Width is samples that perf took, from FUNCTION (its callers are left out) up to
what it calls. Needs perf, and a program with debug information. That of
docs/gateway_flame.svg is

    bench/flame.py gateway_driver_run DRIVER allowance 1000000

and docs/nginx_flame.svg ten seconds of the worker of nginx/bench_nginx.py, with
the module and under its load, the kernel's part with it:

    bench/flame.py ngx_process_events_and_timers --pid PROCESS"""
import collections
import html
import subprocess
import sys
import tempfile

WIDTH, ROW, MARGIN = 1200, 17, 8


def stacks(root, command):
    """{(outermost, …, innermost): samples} below root."""
    found = collections.Counter()
    if command[0] == "--pid":
        what = ["-p", command[1], "--", "sleep", "10"]
    else:
        what = ["--", *command]
    with tempfile.TemporaryDirectory() as home:
        data = f"{home}/perf.data"
        subprocess.run(["perf", "record", "-q", "-F", "4999", "--call-graph",
                        "dwarf,16384", "-o", data, *what],
                       check=True, stdout=sys.stderr)
        text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym"],
                              check=True, capture_output=True,
                              text=True, errors="replace").stdout
    for sample in text.split("\n\n"):
        frames = [line.split(None, 1)[1].strip()
                  for line in sample.splitlines()
                  if len(line.split(None, 1)) == 2]
        if root in frames:
            inner = frames[:frames.index(root) + 1]
            found[tuple(shortened(reversed(inner)))] += 1
    return found


def shortened(stack):
    """Without what the kernel does in a call, and what has no name."""
    before = None
    for name in stack:
        if name == "entry_SYSCALL_64_after_hwframe":
            yield "kernel"
            return
        if name not in (before, "[unknown]"):
            yield name
        before = name


class Box:
    """A function as called from where it was called."""

    def __init__(self):
        self.samples = 0
        self.inner = {}

    def add(self, stack, samples):
        self.samples += samples
        if stack:
            self.inner.setdefault(stack[0], Box()).add(stack[1:], samples)

    def depth(self):
        return 1 + max((box.depth() for box in self.inner.values()),
                       default=0)


def color(name):
    """Of the room that a function belongs to, as far as its name tells."""
    for part, fill in (("gateway", "#e8955a"), ("admit", "#e8955a"),
                       ("credential", "#e8955a"), ("snapshot", "#e8955a"),
                       ("limit", "#d9635b"), ("tape", "#d9635b"),
                       ("window", "#d9635b"), ("quota", "#c9a23f"),
                       ("record", "#7fa65a"), ("publish", "#7fa65a"),
                       ("header", "#b98bc9"), ("serve", "#bbbbbb"),
                       ("metering", "#e8955a"), ("ngx_", "#9db8d9")):
        if part in name:
            return fill
    return "#e3c08d"


def draw(box, name, left, level, scale, top, out):
    width = box.samples * scale
    if width < 0.6:
        return
    y = top - level * ROW
    share = f"{name}: {100 * box.samples / draw.all:.1f} %"
    out.append(f'<g><title>{html.escape(share)}</title><rect x="{left:.1f}" '
               f'y="{y}" width="{width:.1f}" height="{ROW - 1}" '
               f'fill="{color(name)}" rx="1"/>')
    letters = int(width / 6.6)
    if letters >= 4:
        text = name if len(name) <= letters else name[:letters - 1] + "…"
        out.append(f'<text x="{left + 3:.1f}" y="{y + 12}">'
                   f'{html.escape(text)}</text>')
    out.append("</g>")
    for inner in sorted(box.inner):
        draw(box.inner[inner], inner, left, level + 1, scale, top, out)
        left += box.inner[inner].samples * scale


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    root = sys.argv[1]
    whole = Box()
    for stack, samples in stacks(root, sys.argv[2:]).items():
        whole.add(stack[1:], samples)
    if whole.samples == 0:
        sys.exit(f"no sample below {root}")
    draw.all = whole.samples
    height = whole.depth() * ROW + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 '
           f'{WIDTH + 2 * MARGIN} {height}" font-family="monospace" '
           'font-size="11">']
    draw(whole, root, MARGIN, 0, WIDTH / whole.samples,
         height - MARGIN - ROW, out)
    print("\n".join([*out, "</svg>"]))


if __name__ == "__main__":
    main()
