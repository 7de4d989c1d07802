"""``make bench-board``: the way to a board and the loop on it, measured on the emulated one; writes its page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tests.board.boards import Board
from tests.speed.__main__ import tell
from tests.speed.edge import fleet, link, page, same, tending, there
from tests.speed.edge.place import emulated
from tests.speed.lines import Section, lines_of
from tests.speed.page import count
from tests.speed.subjects import ROOT

PAGE = ROOT / "docs" / "edge-benchmarks.md"


def sections(board: Board) -> Mapping[str, Callable[[], Section]]:
    """What is measured on the board: title -> measurement."""
    return {
        "A run over SSH": lambda: link.run_lines(link.runs_of(board)),
        "The same case here and over SSH": lambda: same.lines(same.measure()),
        "Shipping": lambda: [*link.shipping_lines(link.moved(board)), there.agent_line()],
        "The loop alone, on the board": lambda: there.lines(there.measure(board)),
        "Looking after a board": lambda: tending.lines(tending.measure(board)),
        "Fifty boards": lambda: fleet.lines(*fleet.measure(board)),
    }


def main() -> None:
    """Measure every section, print it, write the page. What was not kept is said; it is no error."""
    begin, measured = time.monotonic(), {}
    with emulated() as board:
        for title, measure in sections(board).items():
            print(f"\n{title}", flush=True)
            measured[title] = measure()
            for line in lines_of(measured[title]):
                tell(line)
    PAGE.write_text(page.render(measured, time.monotonic() - begin), encoding="utf-8")
    print(f"\nwritten: {PAGE.relative_to(ROOT)}\n\n{count(measured)}")


if __name__ == "__main__":
    main()
