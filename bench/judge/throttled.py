"""What is said of a case whose processor or GPU was held down while it was measured: by heat, a weak supply. Pure.

The figures stay as they are: a board that throttles in this measurement may throttle in service. But nothing that was
measured so is called met unsaid: the verdict carries the word, and its reason says what held the processor down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench import units
from bench.device.records import GPU_THROTTLED, THROTTLED
from bench.results import ProcessRun, Verdict

CAVEAT = "throttled"


def why(runs: Sequence[ProcessRun]) -> str:
    """What held the processor or the GPU down, in a few words; "" where nothing did, or nothing is told."""
    gpu = {str(run.facts[GPU_THROTTLED]): None for run in runs if GPU_THROTTLED in run.facts}
    return ", ".join([*_of_the_processor(runs), *(f"the GPU: {words}" for words in gpu)])


def _of_the_processor(runs: Sequence[ProcessRun]) -> list[str]:
    blocks = [one.seen for run in runs for one in run.blocks]
    heat = sum(1 for one in blocks if one.throttled or one.cooling)
    voltage = sum(1 for one in blocks if one.low_voltage)
    said = [f"heat or power in {heat} of {len(blocks)} blocks"] if heat else []
    said += [f"low voltage in {voltage} of {len(blocks)} blocks"] if voltage else []
    firmware = {str(run.facts[THROTTLED]): None for run in runs if THROTTLED in run.facts}
    return [*said, *(f"the firmware says: {words}" for words in firmware)]


def note(runs: Sequence[ProcessRun]) -> str:
    """One sentence for a case that was throttled, with when it began where that is known; else nothing."""
    found = why(runs)
    if not found:
        return ""
    starts = [
        one.start_ns
        for run in runs
        for one in run.blocks
        if one.seen.throttled or one.seen.cooling or one.seen.low_voltage
    ]
    first = f", first after {units.show(min(starts), 'ns')}" if starts else ""
    slowed = "processor" if _of_the_processor(runs) else "GPU"
    what = f"the {slowed} was slowed down while this was measured ({found}{first})"
    return f"throttled: {what}: let it cool, and see that its supply is strong enough"


def marked(one: Verdict, runs: Sequence[ProcessRun]) -> Verdict:
    """The verdict with the word and the reason, where the case was throttled."""
    found = why(runs)
    return replace(one, reason=f"{one.reason} (throttled: {found})", caveat=CAVEAT) if found else one
