"""docs/benchmarks.md read back: what it prints must follow from what it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.units import parse
from tests.speed import agreement
from tests.speed.page import ANSWERS

QUANTITY = re.compile(r"([0-9][0-9.]*) (ns|µs|ms|s|kB|MB|GB|KiB|MiB|GiB)\b")
INTERVAL = re.compile(r"\[([0-9.]+ (?:ns|µs|ms|s)), ([0-9.]+ (?:ns|µs|ms|s))\]")
RATIO = re.compile(r"([0-9.]+) \(([0-9.]+)–([0-9.]+)\)")
TIMES = re.compile(r"≤ ([0-9.]+) ×(?: \+ (.+))?")
SHARES = re.compile(r"m(?:et|issed) ([0-9.]+) % \(bound ([0-9.]+) %\)")
MULTIPLE = re.compile(r"(?:≤ )?([0-9.]+) times\b")
WRONG = re.compile(r"met [0-9.]+ %")
SLACK = 0.15
"""The ratio is the middle of the rounds' own; ours and theirs are each the middle of theirs: near, not equal.

Where other work slows half of the rounds, the two middles may come from different halves.
"""


@dataclass(frozen=True)
class Row:
    """One line of a table, as text."""

    section: str
    what: str
    ours: str
    theirs: str
    ratio: str
    target: str
    answer: str


def rows(text: str) -> list[Row]:
    """Every row of every table of the page."""
    found, section, inside = [], "", False
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| what |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| --- |"):
            found.append(Row(section, *(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])))
    return found


def table(text: str, title: str) -> list[list[str]]:
    """The rows of the plain table under this title."""
    lines = text[text.index(f"### {title}\n") :].split("\n\n")[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def wrong(text: str) -> list[str]:
    """What on the page does not follow from its own numbers."""
    read = rows(text)
    found = [f"{row.what}: {why}" for row in read for why in (*_ratio_wrong(row), *_answer_wrong(row))]
    held = [row for row in read if row.answer != ANSWERS[None]]
    header = f"**{sum(row.answer == ANSWERS[True] for row in held)} of {len(held)} targets kept**"
    return found if header in text else [*found, f"the header does not say {header}"]


def _ratio_wrong(row: Row) -> Iterator[str]:
    """The printed ratio is within its quartiles, and ours over theirs near them. Shares of wrong answers have none."""
    if WRONG.match(row.ours):
        return
    if bool(row.ratio) != bool(row.theirs) and not agreement.ABOVE.fullmatch(row.target):
        yield "a ratio and theirs go together"
    if row.ratio:
        middle, low, high = _ratio(row)
        again = _size(row.ours) / _size(row.theirs)
        if not low <= middle <= high:
            yield f"the ratio {middle} is not within its quartiles"
        if not low * (1 - SLACK) <= again <= high * (1 + SLACK) and not _within(row, middle):
            yield f"{row.ours} over {row.theirs} is {again:.3f}, not {row.ratio}"


def _within(row: Row, ratio: float) -> bool:
    """Whether so many times theirs lies in our own interval: a round that other work stretched moves ours far."""
    found = INTERVAL.search(row.ours)
    if found is None:
        return False
    low, high = (parse(end, "ns") for end in found.groups())
    return low <= ratio * _size(row.theirs) <= high


def _answer_wrong(row: Row) -> Iterator[str]:
    """*kept* follows from the numbers and the target; where they are equal as printed, both may be true."""
    agreed = agreement.answers(row.ours, row.theirs, _ratio(row)[0] if row.ratio else None, row.target)
    if agreed is not None:
        if row.answer not in {ANSWERS[one] for one in agreed}:
            yield f"{row.ours} beside {row.theirs} is not `{row.answer}`"
        return
    value, most = _held(row) if row.target != "none" else (0.0, 0.0)
    answers = {ANSWERS[None]} if row.target == "none" else {ANSWERS[value <= most], ANSWERS[value < most]}
    if row.answer not in answers:
        yield f"{value:g} against {most:g} is not `{row.answer}`"


def _held(row: Row) -> tuple[float, float]:
    """The value that the target is about, and the most it may be."""
    if SHARES.search(row.ours):
        return _worst_share(row.ours), 1.0
    multiple, most = MULTIPLE.match(row.ours), MULTIPLE.fullmatch(row.target)
    if multiple is not None and most is not None:
        return float(multiple[1]), float(most[1])
    times = TIMES.fullmatch(row.target)
    if times is None:
        return _size(row.ours), _size(row.target)
    if times[2] is None:
        return _ratio(row)[0], float(times[1])
    return _size(row.ours), float(times[1]) * _size(row.theirs) + _size(times[2])


def _worst_share(text: str) -> float:
    """The largest share of wrong answers or bound, over what it may be."""
    found = [(float(share) / 1, float(bound) / 2.5) for share, bound in SHARES.findall(text)]
    return max(one for pair in found for one in pair)


def _ratio(row: Row) -> tuple[float, float, float]:
    found = RATIO.fullmatch(row.ratio)
    if found is None:
        raise ValueError(f"{row.what}: `{row.ratio}` is no ratio with quartiles")
    return float(found[1]), float(found[2]), float(found[3])


def _size(text: str) -> float:
    """The first quantity in the text, in its base unit."""
    found = QUANTITY.search(text)
    if found is None:
        rates = agreement.quantities(text)
        if not rates:
            raise ValueError(f"no quantity in `{text}`")
        return rates[0]
    return parse(found[0], "bytes" if found[2].endswith("B") else "ns")
