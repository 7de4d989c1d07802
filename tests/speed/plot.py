"""docs/wrong-by-limit.svg: the page's own table of wrong answers by limit, drawn."""

from __future__ import annotations

from collections.abc import Sequence

from tests.speed import reading, verdicts

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 340, 56, 48, 150, 56
COLOURS = ("#1b7837", "#b35806", "#542788")
HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
)


def draw(page: str) -> str:
    """The plot of the table that stands on the page."""
    rows = reading.table(page, verdicts.BY_LIMIT)
    limits = [float(row[0].removesuffix(" ×")) for row in rows]
    shares = [[float(row[1 + way].removesuffix(" %")) for row in rows] for way in range(len(verdicts.RULES))]
    top = max(20.0, 20.0 * -(-max(max(one) for one in shares) // 20))
    parts = [HEAD, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *_frame(limits, top)]
    for name, colour, share in zip(verdicts.RULES, COLOURS, shares, strict=True):
        points = [(_x(limit, limits), _y(one, top)) for limit, one in zip(limits, share, strict=True)]
        parts += _curve(name, colour, points)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(limit: float, limits: Sequence[float]) -> float:
    return LEFT + (limit - limits[0]) / (limits[-1] - limits[0]) * (WIDTH - LEFT - RIGHT)


def _y(share: float, top: float) -> float:
    return HEIGHT - BOTTOM - share / top * (HEIGHT - TOP - BOTTOM)


def _frame(limits: Sequence[float], top: float) -> list[str]:
    """Title, grid, and what stands at the axes."""
    parts = [
        f'<text x="{LEFT}" y="20" font-size="14">Wrong answers by limit, timings of real processes</text>',
        f'<text x="{LEFT}" y="38" fill="#555">share of runs that got a wrong answer; 1 % each way is stated</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">limit / truth</text>',
    ]
    for step in range(5):
        share = top * step / 4
        y = _y(share, top)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:g} %</text>')
    for limit in limits:
        x = _x(limit, limits)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{limit:g}</text>')
    return parts


def _curve(name: str, colour: str, points: Sequence[tuple[float, float]]) -> list[str]:
    """One rule, and its name in the legend."""
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    at = TOP + 20 * verdicts.RULES.index(name)
    return [
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points),
        f'<text x="{WIDTH - RIGHT + 14}" y="{at}" fill="{colour}">{name}</text>',
    ]
