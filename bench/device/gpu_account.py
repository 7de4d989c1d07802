"""What the sampler's account comes to: energy and memory, or why it is none. Pure; what cannot be raises ValueError."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple

from .metering import Metering
from .nvml import MOST

NS_PER_S = 1_000_000_000
COUNTER_NS = 1_000_000_000
"""The shortest time that NVML's energy is told of: counter and power change some ten times a second."""
SHORT = (
    "%.2g s are too short for NVML's figures, which change some ten times a second: measure longer (`time`, `min time`)"
)
LATE = 0.05
"""How much longer or shorter than the timed part, as a share of it, the time of the energy may be."""
MOST_GAPS = 10
"""So many times the time between two looks may pass in the timed part with none that tells the memory."""
UNTOLD = "NVML told it before the timed part and never in it"
MOST_UW = MOST["power_mw"] * 1000
Account = Mapping[str, Any]


def metering_of(told: Account, window_ns: int, every_ns: int) -> Metering:
    """Of the timed part, which took ``window_ns``; KeyError, TypeError and ValueError for an account that is none."""
    return Metering(window_ns, *_energy(told, window_ns), *_memory(told, every_ns))


def _energy(told: Account, window_ns: int) -> Tuple[Optional[int], str]:
    """Microjoules of the timed part and by what they were found; None and why not."""
    if window_ns < COUNTER_NS:
        return None, SHORT % (window_ns / NS_PER_S)
    counted, span_ns, why = _signed(told["energy_uj"]), _whole(told["energy_ns"]), str(told["energy_why"])
    whole, sampled_ns = _maybe(told["integral_uj"]), _whole(told["span_ns"])
    if counted is not None and abs(span_ns - window_ns) > LATE * window_ns:
        return None, "the sampler was late: it has the energy of %.3g s where %.3g s were timed" % (
            span_ns / NS_PER_S, window_ns / NS_PER_S,
        )  # fmt: skip
    if counted is not None and 0 < counted <= MOST_UW * span_ns // NS_PER_S:
        return counted, "NVML's energy counter, of the whole GPU"
    if counted is not None:
        why = "NVML's energy counter went on by %d µJ, which cannot be" % counted
    if whole is None or abs(sampled_ns - window_ns) > LATE * window_ns:
        return None, why
    source, what = str(told.get("source", "NVML"))[:80], str(told.get("whole", "the whole GPU"))[:80]
    return whole, "power by %s in %d samples, integrated, of %s (%s)" % (source, _whole(told["count"]), what, why)


def _memory(told: Account, every_ns: int) -> Tuple[Optional[int], str]:
    """The most that was held, and by what looks; None and why not. What only the warm-up told is no figure."""
    used, looks, timed = _maybe(told["used_bytes"]), _whole(told["used_looks"]), _whole(told["used_timed"])
    gap_ns, why = _whole(told["used_gap_ns"]), str(told["used_why"])
    if used is None:
        return None, why or "the sampler saw nothing"
    if used > MOST["used_bytes"]:
        raise ValueError(used)
    because = ": %s" % why if why else ""
    if not timed:
        return None, UNTOLD + because
    if gap_ns > MOST_GAPS * every_ns:
        return None, "NVML did not tell it for %.2g s of the timed part%s" % (gap_ns / NS_PER_S, because)
    return used, "NVML, the highest of %d looks (%d in the timed part), one each %d ms (%.0f ms at most)" % (
        looks, timed, every_ns // 1_000_000, gap_ns / 1e6,
    )  # fmt: skip


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError(value)
    return value


def _signed(value: Any) -> Optional[int]:
    """A counter may have gone backwards."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(value)
    return None if value is None else int(value)


def _maybe(value: Any) -> Optional[int]:
    return None if value is None else _whole(value)
