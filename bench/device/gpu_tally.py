"""What a GPU's samples come to: peaks, means, energy, how many samples something was wrong in. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from .nvml import POWER_CAP, slowed_by

RANGES = ("sm_mhz", "memory_mhz", "temperature_c", "busy_percent")
MW_NS_PER_UJ = 1_000_000


class Tally:
    """Samples, one after the other; the timed part lies between two marks, memory is looked at from the first on."""

    def __init__(self) -> None:
        self.used_bytes: Optional[int] = None
        self.used_looks = 0
        self.used_why = ""
        self.begin(0)

    def begin(self, at_ns: int) -> None:
        """The timed part begins: what was sampled before counts for memory only."""
        self.count, self.gap_ns = 0, 0
        self.used_timed, self.used_gap_ns = 0, 0
        self._lows: Dict[str, int] = {}
        self._highs: Dict[str, int] = {}
        self._sums: Dict[str, int] = {}
        self._counts: Dict[str, int] = {}
        self._slowed: Dict[str, int] = {}
        self._capped = 0
        self._power: Optional[int] = None
        self._power_ns = self._last_ns = self._first_ns = self._held_ns = at_ns
        self._integral = 0
        self._powered_ns = 0

    def hold(self, at_ns: int, used_bytes: Optional[int], why: str = "") -> None:
        """What the worker holds on the GPU now, or why that is not told."""
        if used_bytes is None:
            self.used_why = why
            return
        self.used_looks += 1
        self.used_timed += 1
        self.used_gap_ns, self._held_ns = max(self.used_gap_ns, at_ns - self._held_ns), at_ns
        self.used_bytes = max(used_bytes, self.used_bytes or 0)

    def add(self, at_ns: int, read: Mapping[str, int]) -> None:
        """A sample of the timed part."""
        self.count += 1
        self.gap_ns = max(self.gap_ns, at_ns - self._last_ns)
        self._last_ns = at_ns
        for name in (*RANGES, "power_mw"):
            if name in read:
                value = read[name]
                self._lows[name] = min(value, self._lows.get(name, value))
                self._highs[name] = max(value, self._highs.get(name, value))
                self._sums[name] = self._sums.get(name, 0) + value
                self._counts[name] = self._counts.get(name, 0) + 1
        for name in slowed_by(read.get("reasons", 0)):
            self._slowed[name] = self._slowed.get(name, 0) + 1
        self._capped += bool(read.get("reasons", 0) & POWER_CAP)
        self._integrate(at_ns, read.get("power_mw"))

    def _integrate(self, at_ns: int, power_mw: Optional[int]) -> None:
        """The trapezoid between two samples that both tell the power."""
        if power_mw is not None and self._power is not None:
            self._integral += (power_mw + self._power) * (at_ns - self._power_ns) // 2
            self._powered_ns += at_ns - self._power_ns
        self._power, self._power_ns = power_mw, at_ns

    def told(self) -> Dict[str, Any]:
        """The account, ready for JSON. ``integral_uj`` only where the power is known for all of the time.

        ``used_gap_ns`` is the longest part of the timed one without a look that told the memory.
        """
        span_ns = self._last_ns - self._first_ns
        whole = span_ns > 0 and self._powered_ns >= 0.9 * span_ns
        means = {name: self._sums[name] // self._counts[name] for name in self._sums}
        ranges: Dict[str, List[int]] = {
            name: [self._lows[name], means[name], self._highs[name]] for name in sorted(self._lows)
        }
        return {
            "count": self.count,
            "gap_ns": self.gap_ns,
            "span_ns": span_ns,
            "ranges": ranges,
            "slowed": self._slowed,
            "capped": self._capped,
            "integral_uj": self._integral * span_ns // self._powered_ns // MW_NS_PER_UJ if whole else None,
            "used_bytes": self.used_bytes,
            "used_looks": self.used_looks,
            "used_timed": self.used_timed,
            "used_gap_ns": max(self.used_gap_ns, self._last_ns - self._held_ns),
            "used_why": self.used_why,
        }
