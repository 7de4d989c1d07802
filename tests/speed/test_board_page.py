"""docs/edge-benchmarks.md: every line that `make bench-board` has, and nothing that its own numbers do not say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.speed import reading
from tests.speed.edge import __main__ as program
from tests.speed.edge import fleet, link, page, same, tending, there
from tests.speed.lines import Section, lines_of


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> dict[str, Section]:
    """Every section with every line that the program makes, of figures that nobody measured."""
    board: Any = None
    sides = ("iteration", "by hand", "recorded", "by hand, again")
    runs = {
        name: [2e9, 2.5e9, 3e9]
        for name in (link.SHARED, link.OWN, link.NATIVE, link.HERE, link.PYTHON, link.NATIVE_PYTHON)
    }
    monkeypatch.setattr(link, "runs_of", lambda _: runs)
    monkeypatch.setattr(link, "moved", lambda _: {"shipped": [6e9], "copied": [5e9], "nothing": [1e9]})
    monkeypatch.setattr(there, "measure", lambda _: {name: [2000.0] for name in sides})
    monkeypatch.setattr(
        tending, "measure", lambda _: {tending.FIRST: [9e10], tending.AGAIN: [2e9], tending.SMOKE: [3e10]}
    )
    monkeypatch.setattr(same, "measure", lambda: {same.SSH: [1e6], same.HERE: [1e6]})
    one = fleet.Fleet(50, 50, 40.0, 90 << 20, 200 << 20)
    monkeypatch.setattr(fleet, "measure", lambda _: (one, 30.0, one))
    return {title: measure() for title, measure in program.sections(board).items()}


def what_of(text: str) -> list[tuple[str, str]]:
    return [(row.section, row.what) for row in reading.rows(text)]


def test_the_page_in_docs_is_the_programs_and_follows_from_its_own_numbers(sections: dict[str, Section]) -> None:
    """Where this fails, the program has changed since the page was written: run `make bench-board`."""
    text = program.PAGE.read_text(encoding="utf-8")
    assert what_of(text) == [(title, line.what) for title, section in sections.items() for line in lines_of(section)]
    assert page.how() in text
    assert reading.wrong(text) == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("middle 2.5 s, longest 3 s |", "middle 3.5 s, longest 4 s |"),
        ("| 0 times | | | ≤ 0 times", "| 1 times | | | ≤ 0 times"),
        ("| 40.0 s |", "| 70.0 s |"),
        ("| 200 MiB (90 MiB without them) |", "| 300 MiB (90 MiB without them) |"),
        ("1.200 (1.200–1.200) | ≤ 1.5 × | kept", "1.200 (1.200–1.200) | ≤ 1.1 × | kept"),
    ],
)
def test_a_page_that_contradicts_itself_is_caught(was: str, becomes: str, sections: dict[str, Section]) -> None:
    text = page.render(sections, took_s=1.0).replace("|  |", "| |").replace("|  |", "| |")
    assert reading.wrong(text) == []
    assert was in text
    assert reading.wrong(text.replace(was, becomes, 1))
