"""docs/wrong-by-limit.svg: the page's own table of wrong answers by limit, drawn."""

from __future__ import annotations

from tests.docs.plots.canvas import BLUE, GREY, INK, ORANGE, PURPLE, Axis, Panel, sheet, text
from tests.speed import reading, verdicts

COLOURS = dict(zip(verdicts.RULES, (BLUE, ORANGE, PURPLE), strict=True))
TITLE = "Wrong answers by limit, timings of real processes"


def draw(page: str) -> str:
    """The plot of the table that stands on the page."""
    rows = reading.table(page, verdicts.BY_LIMIT)
    limits = [float(row[0].removesuffix(" ×")) for row in rows]
    x = Axis(limits[0], limits[-1], [(one, f"{one:g}") for one in limits], "limit / truth")
    y = Axis(0, 100, [(one, f"{one} %") for one in range(0, 101, 25)], "wrong answers, of all runs")
    panel = Panel(84, 66, 520, 240, x, y)
    parts = [
        text((84, 26), TITLE, INK, bold=True, size=13),
        text((84, 46), "at the truth itself every answer is wrong; 1 % each way is what the votes promise", GREY),
        *panel.axes(),
    ]
    for way, (name, colour) in enumerate(COLOURS.items()):
        share = [(limit, float(row[1 + way].removesuffix(" %"))) for limit, row in zip(limits, rows, strict=True)]
        parts += [panel.line(share, colour, 2), panel.dots(share, colour, 6)]
        parts.append(text((622, 78 + 22 * way), name, colour, size=13))
    return sheet(362, TITLE, parts)
