"""``python -m tests.docs.plots``: draw the plots of docs/ that explain, anew. ``make docs`` does it too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.docs.fresh import ROOT
from tests.docs.plots import stakes, stalls, unlike, until_decided

PLOTS: Mapping[str, Callable[[], str]] = {
    "processes-differ.svg": unlike.draw,
    "stakes.svg": stakes.draw,
    "until-decided.svg": until_decided.draw,
    "open-and-closed-loop.svg": stalls.draw,
}
FOLDER = ROOT / "docs"


def main() -> None:
    """Each into its file."""
    for name, draw in PLOTS.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
