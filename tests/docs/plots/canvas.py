"""Panels with axes, lines and dots, as SVG text: what the plots in docs/ are drawn with.

A plot has its own white ground, so that it reads the same on a light and a dark page. Coordinates are kept to a tenth
of a unit of the drawing, which keeps files small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 760
"""Of every plot: about a column of text, where a font of 13 is read without zooming."""
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#c44e00", "#00795a", "#8f3f85"
"""Told apart by colour-blind readers too (Okabe & Ito 2008), made darker for thin lines on white."""
INK, GREY, RULE = "#1f2328", "#57606a", "#e3e6ea"
Point = tuple[float, float]
Parts = list[str]


@dataclass(frozen=True)
class Axis:
    """What lies between ``low`` and ``high``, the places that are named, and what it is (with its unit)."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    label: str
    log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value lies; values beyond its ends lie at them."""
        kept = min(max(value, self.low), self.high)
        if self.log:
            return math.log(kept / self.low) / math.log(self.high / self.low)
        return (kept - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Panel:
    """One pair of axes at a place of the sheet."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def at(self, point: Point) -> Point:
        """Where a point lies on the sheet."""
        return (
            round(self.left + self.x.share(point[0]) * self.width, 1),
            round(self.top + (1 - self.y.share(point[1])) * self.height, 1),
        )

    def axes(self, title: str = "") -> Parts:
        """Grid, named places, what the axes are, and a title above."""
        bottom, right = self.top + self.height, self.left + self.width
        found = [] if not title else [text((self.left, self.top - 10), title, size=13, bold=True)]
        for value, name in self.y.ticks:
            _, y = self.at((self.x.low, value))
            found += [rule((self.left, y), (right, y)), text((self.left - 7, y + 4), name, GREY, "end")]
        for value, name in self.x.ticks:
            x, _ = self.at((value, self.y.low))
            found += [rule((x, bottom), (x, bottom + 4), GREY), text((x, bottom + 18), name, GREY, "middle")]
        found += [rule((self.left, bottom), (right, bottom), GREY)]
        if self.x.label:
            found.append(text((self.left + self.width / 2, bottom + 37), self.x.label, INK, "middle"))
        if self.y.label:
            x, y = self.left - 46, self.top + self.height / 2
            turned = f' transform="rotate(-90 {x:g} {y:g})"'
            found.append(text((x, y), self.y.label, INK, "middle", more=turned))
        return found

    def line(
        self, points: Iterable[Point], colour: str, width: float = 1.8, opacity: float = 1, dashed: bool = False
    ) -> str:
        """Straight from point to point."""
        at = " ".join("{:g},{:g}".format(*self.at(one)) for one in points)
        more = "" if opacity == 1 else f' opacity="{opacity:g}"'
        more += ' stroke-dasharray="5 4"' if dashed else ""
        return f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{width:g}"{more}/>'

    def level(self, value: float, colour: str = INK) -> str:
        """A dashed line right across at one height."""
        return self.line([(self.x.low, value), (self.x.high, value)], colour, 1.4, dashed=True)

    def dots(self, points: Iterable[Point], colour: str, size: float = 3, opacity: float = 1) -> str:
        """One round dot a point, all in one path: thousands of them stay a small file."""
        at = "".join("M{:g} {:g}h0".format(*self.at(one)) for one in points)
        more = "" if opacity == 1 else f' opacity="{opacity:g}"'
        return f'<path d="{at}" fill="none" stroke="{colour}" stroke-width="{size:g}" stroke-linecap="round"{more}/>'

    def steps(self, steps: Iterable[tuple[Point, Point]], colour: str, width: float, opacity: float) -> str:
        """Lines that need not hang together, in one path."""
        at = "".join("M{:g} {:g}L{:g} {:g}".format(*self.at(start), *self.at(end)) for start, end in steps)
        return f'<path d="{at}" fill="none" stroke="{colour}" stroke-width="{width:g}" opacity="{opacity:g}"/>'

    def bars(self, spans: Iterable[tuple[float, float, float]], colour: str, width: float) -> str:
        """An upright bar for each (x, from, to)."""
        ends = [(self.at((x, low)), self.at((x, high))) for x, low, high in spans]
        at = "".join(f"M{x:g} {low:g}V{high:g}" for (x, low), (_, high) in ends)
        return f'<path d="{at}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'

    def band(self, lower: Sequence[Point], upper: Sequence[Point], colour: str, opacity: float = 0.15) -> str:
        """What lies between two lines."""
        at = " ".join("{:g},{:g}".format(*self.at(one)) for one in [*lower, *reversed(upper)])
        return f'<polygon points="{at}" fill="{colour}" opacity="{opacity:g}"/>'

    def word(self, point: Point, said: str, colour: str = INK, anchor: str = "start", dy: float = 0) -> str:
        """Text at a point of the plot."""
        x, y = self.at(point)
        return text((x, y + dy), said, colour, anchor)


def rule(start: Point, end: Point, colour: str = RULE) -> str:
    """A thin line on the sheet."""
    return f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" stroke="{colour}"/>'


def text(
    at: Point, said: str, colour: str = INK, anchor: str = "start", size: float = 12, bold: bool = False, more: str = ""
) -> str:
    """Words on the sheet."""
    end = "" if anchor == "start" else f' text-anchor="{anchor}"'
    end += "" if size == 12 else f' font-size="{size:g}"'
    end += ' font-weight="bold"' if bold else ""
    return f'<text x="{at[0]:g}" y="{at[1]:g}" fill="{colour}"{end}{more}>{said}</text>'


def sheet(height: int, title: str, parts: Iterable[str]) -> str:
    """The whole drawing; ``title`` is what a reader who does not see it is told."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" role="img">',
            f"<title>{title}</title>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )
