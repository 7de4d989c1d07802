"""Latency under load as a plot: the theory's lines, what was measured as points, one SVG.

``python -m tests.speed.under_load.drawing RUN FILE`` draws the server cases of a stored run, a sweep over rates for
instance, without the theory's lines. The drawing holds the values that it was made of, as JSON.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.store import open_run
from bench.units import show
from tests.device.queues import NS_PER_S, wait_ns

FILE = "latency-under-load.svg"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
COLOURS = {"p50": "#1b7f5c", "p90": "#c77700", "p99": "#b3263a"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 70, 60, 30, 50
LOADS = [step / 100 for step in range(2, 95)]
HELD = re.compile(r"<metadata>(.*)</metadata>")
Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Point:
    """What was measured at one rate: percentile -> (value, low, high) of latency, ns."""

    rate_per_s: float
    latencies_ns: Mapping[str, tuple[float, float, float]]


def render(points: Sequence[Point], service_ns: float | None) -> str:
    """The drawing; lines of M/D/1 where a device takes exactly ``service_ns``."""
    lines = {} if service_ns is None else _theory(service_ns)
    values = [one for point in points for told in point.latencies_ns.values() for one in told if one > 0]
    values += [ns for line in lines.values() for _, ns in line]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    right = max([point.rate_per_s for point in points] + [rate for line in lines.values() for rate, _ in line]) * 1.02

    def place(rate: float, ns: float) -> tuple[float, float]:
        up = math.log(max(ns, low) / low) / math.log(high / low)
        across = LEFT + rate / right * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1)

    held = json.dumps({"service_ns": service_ns, "points": [asdict(point) for point in points]})
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
    parts = [
        head + 'font-size="12">',
        f"<metadata>{held}</metadata>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_axes(place, low, high, right),
        *(one for name, line in lines.items() for one in _line(place, name, line)),
        *(one for point in points for one in _points(place, point)),
        *_legend(service_ns is not None),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def again(drawing: str) -> str:
    """The drawing, made anew of the values that it holds."""
    held: dict[str, Any] = json.loads(HELD.findall(drawing)[0])
    points = [
        Point(one["rate_per_s"], {name: tuple(told) for name, told in one["latencies_ns"].items()})
        for one in held["points"]
    ]
    return render(points, held["service_ns"])


def of_run(run: Path) -> list[Point]:
    """The server cases of a stored run that were measured at a rate."""
    found = []
    for case in open_run(str(run), run.parent).cases:
        rate = case.settings.get("rate_per_s")
        told = {
            name: (figure.value, figure.low, figure.high)
            for name in QUANTILES
            for figure in case.figures
            if figure.metric == f"latency {name}"
            and figure.value is not None
            and figure.low is not None
            and figure.high is not None
        }
        if case.scenario == "server" and isinstance(rate, int | float) and rate and told:
            found.append(Point(float(rate), told))
    return sorted(found, key=lambda one: one.rate_per_s)


def _theory(service_ns: float) -> dict[str, list[tuple[float, float]]]:
    rates = [load * NS_PER_S / service_ns for load in LOADS]
    return {
        name: [(rate, service_ns + wait_ns(rate, service_ns, q)) for rate in rates] for name, q in QUANTILES.items()
    }


def _axes(place: Place, low: float, high: float, right: float) -> list[str]:
    found = []
    decade = low
    while decade <= high:
        (x, y), (end, _) = place(0, decade), place(right, decade)
        found.append(f'<line x1="{x}" y1="{y}" x2="{end}" y2="{y}" stroke="#ddd"/>')
        found.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{show(decade, "ns")}</text>')
        decade *= 10
    step = 10 ** math.floor(math.log10(right))
    step = step if right / step >= 4 else step / 5
    for tick in range(int(right / step) + 1):
        x, y = place(tick * step, low)
        found.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{tick * step:g}</text>')
    x, y = place(right / 2, low)
    return [*found, f'<text x="{x}" y="{y + 38}" text-anchor="middle">queries that arrive in a second</text>']


def _line(place: Place, name: str, line: Sequence[tuple[float, float]]) -> list[str]:
    at = " ".join("{},{}".format(*place(rate, ns)) for rate, ns in line)
    x, y = place(*line[-1])
    return [
        f'<polyline points="{at}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.5"/>',
        f'<text x="{x + 6}" y="{y + 4}" fill="{COLOURS[name]}">{name}</text>',
    ]


def _points(place: Place, point: Point) -> list[str]:
    found = []
    for name, (value, low, high) in point.latencies_ns.items():
        (x, y), (_, bottom), (_, top) = (place(point.rate_per_s, ns) for ns in (value, low, high))
        told = f"{name} at {show(point.rate_per_s, 'per_s')}: {show(value, 'ns')}"
        found.append(f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{top}" stroke="{COLOURS[name]}" stroke-width="3"/>')
        found.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{COLOURS[name]}"><title>{told}</title></circle>')
    return found


def _legend(with_lines: bool) -> list[str]:
    names = " ".join(f'<tspan fill="{colour}">● {name}</tspan>' for name, colour in COLOURS.items())
    lines = "; lines: the theory (M/D/1)" if with_lines else ""
    return [f'<text x="{LEFT}" y="18">latency {names}, measured, with its interval{lines}</text>']


def main() -> None:
    """Draw a stored run."""
    run, into = Path(sys.argv[1]), Path(sys.argv[2])
    into.write_text(render(of_run(run), None), encoding="utf-8")


if __name__ == "__main__":
    main()
