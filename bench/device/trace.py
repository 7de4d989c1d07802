"""A recorded trace of arrivals, read strictly: an ``.npy`` or ``.csv`` of offsets from the trace's beginning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Tuple

import numpy as np

from .arrivals import NS_PER_S, Offsets, Schedule, open_arrivals
from .safe_arrays import read_npy

MAX_ARRIVALS = 10_000_000
"""What one process may issue at most, too."""
MAX_NS = 86_400 * NS_PER_S
MAX_NPY_BYTES = 8 * MAX_ARRIVALS
MAX_CSV_BYTES = 32 << 20
ENDINGS = (".npy", ".csv")
UNITS = {"seconds": NS_PER_S, "nanoseconds": 1}
"""A CSV's first line, which says what its numbers are."""
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,2})?")
"""As programs write them too: ``0.15000000000000002``, ``1e-05``."""
_NANOSECONDS = re.compile(r"[0-9]{1,18}")


class Traffic(NamedTuple):
    """What arrives in one process run: the schedule's kind, rate and seed, its window and most queries, its trace."""

    kind: str
    rate_per_s: float
    seed: int
    window_ns: int
    most: int
    trace: Optional[Offsets]

    @property
    def is_timed(self) -> bool:
        """Whether the window ends the schedule, not the number of queries."""
        return self.most * NS_PER_S / self.rate_per_s > self.window_ns

    def schedule(self) -> Schedule:
        """It, from its beginning."""
        return Schedule(open_arrivals(self.kind, self.rate_per_s, self.seed, self.trace), self.window_ns, self.most)


def read_trace(path: Path) -> Offsets:
    """The arrivals in ns, in order, two at least.

    Whole numbers in an ``.npy`` are nanoseconds, others seconds. Raises ValueError, with what would be
    right, for anything that is no such trace; OSError where the file cannot be read.
    """
    if path.suffix not in ENDINGS:
        raise ValueError("a trace of arrivals is an .npy or a .csv file")
    found = _from_npy(path) if path.suffix == ".npy" else _from_csv(path)
    _check(found)
    return found.astype(np.int64)


def rate_of(trace: Optional[Offsets], rate_per_s: float, max_ns: int, most: int) -> Tuple[float, int]:
    """The rate of what is played of a trace, and for how long (ns); without one, what was asked for."""
    if trace is None:
        return rate_per_s, max_ns
    window_ns = min(max_ns, int(trace[:most][-1]) + 1)
    played = int(np.searchsorted(trace[:most], window_ns))
    return max(1, played) * NS_PER_S / window_ns, window_ns


def _from_npy(path: Path) -> Any:
    array = read_npy(path, MAX_NPY_BYTES)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ValueError("a trace is one row of numbers; this is %s %s" % (array.dtype, list(array.shape)))
    if array.dtype.kind in "iu":
        return array
    if not np.isfinite(array).all():
        raise ValueError("a trace holds finite numbers only")
    return np.rint(np.clip(array.astype(np.float64), -1, 1e9) * NS_PER_S)


def _from_csv(path: Path) -> Any:
    with open(str(path), "rb") as file:
        data = file.read(MAX_CSV_BYTES + 1)
    if len(data) > MAX_CSV_BYTES:
        raise ValueError("a trace as .csv has at most %d MiB: write it as .npy" % (MAX_CSV_BYTES >> 20))
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ValueError("it is not text")
    unit = lines[0].strip().lower()
    if unit not in UNITS:
        raise ValueError("its first line is `%s`: write `seconds` or `nanoseconds`, and one arrival a line" % unit[:40])
    wanted = _SECONDS if unit == "seconds" else _NANOSECONDS
    found: List[float] = []
    for number, line in enumerate(lines[1:], 2):
        text = line.strip()
        if not text and number == len(lines):
            break
        if not wanted.fullmatch(text):
            raise ValueError("line %d: `%s` is no offset in %s from the trace's beginning" % (number, text[:40], unit))
        found.append(float(text) if unit == "seconds" else int(text))
    return np.rint(np.array(found, np.float64) * NS_PER_S) if unit == "seconds" else np.array(found, np.int64)


def _check(offsets: Any) -> None:
    """All in order, from zero on, and within bounds: what a schedule can be."""
    if not 2 <= len(offsets) <= MAX_ARRIVALS:
        raise ValueError("a trace has from 2 to %d arrivals; there are %d" % (MAX_ARRIVALS, len(offsets)))
    if offsets[0] < 0:
        raise ValueError("a trace begins at 0 or later, not before")
    back = np.flatnonzero(offsets[1:] < offsets[:-1])
    if len(back):
        raise ValueError("arrival %d comes before the one before it: sort them" % (back[0] + 2))
    if offsets[-1] > MAX_NS:
        raise ValueError("it is longer than a day: write offsets from its beginning (whole numbers are nanoseconds)")
    if offsets[-1] == 0:
        raise ValueError("all its arrivals come at once, at 0: a trace goes on for some time")
