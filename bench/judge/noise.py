"""What is said of a machine that disturbed a case's measurement: what it was, and what would help."""

from __future__ import annotations

from collections.abc import Sequence

from bench.judge.disturbed import SWITCHES_PER_S
from bench.metrics import TIMED
from bench.results import Outcome, ProcessRun, Verdict

NOISY = 0.25
"""Of the measured time, that may be disturbed before the machine is called noisy."""
STOP_OTHERS = "stop other work on the machine, or give the target fewer threads"
HELP = {
    "waited for a processor": STOP_OTHERS,
    "context switches": STOP_OTHERS,
    "pressure": STOP_OTHERS,
    "other work": STOP_OTHERS,
    "steal": "measure on a host whose processors are not shared",
    "low frequency": "set the governor to `performance`",
    "throttling": "cool the machine, or pause between runs",
    "low voltage": "use a power supply and a cable that hold the voltage",
}
"""What helps against each reason of ``judge.disturbed``."""


def notes(runs: Sequence[ProcessRun], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """What disturbed the measurement, as far as the records tell."""
    return tuple(note for note in (_noisy(runs, verdicts) or _switched(runs), _loaded(runs)) if note)


def _noisy(runs: Sequence[ProcessRun], verdicts: Sequence[Verdict]) -> str:
    measured_ns = sum(block.wall_ns for run in runs for block in run.blocks)
    by_reason: dict[str, int] = {}
    disturbed_ns = 0
    for run in runs:
        for one in run.disturbed:
            wall_ns = run.blocks[one.block].wall_ns
            disturbed_ns += wall_ns
            for why in one.why:
                by_reason[why] = by_reason.get(why, 0) + wall_ns
    if disturbed_ns <= NOISY * measured_ns:
        return ""
    found = sorted(by_reason, key=lambda why: -by_reason[why])
    shares = ", ".join(f"{why} {by_reason[why] / measured_ns:.0%}".replace("%", " %") for why in found)
    help_ = "; ".join(dict.fromkeys(HELP[why] for why in found))
    is_open = any(one.block in TIMED and one.outcome in (Outcome.UNDECIDED, Outcome.NOT_MEASURED) for one in verdicts)
    what = "too noisy to decide" if is_open else "noisy"
    share = f"{disturbed_ns / measured_ns:.0%}".replace("%", " %")
    return f"the machine was {what}: {share} of the measured time was disturbed ({shares}); what helps: {help_}"


def _switched(runs: Sequence[ProcessRun]) -> str:
    switches = sum(block.switches for one in runs for block in one.blocks)
    measured_s = sum(block.wall_ns for one in runs for block in one.blocks) / 1e9
    if not measured_s or switches / measured_s <= SWITCHES_PER_S:
        return ""
    return (
        f"other work took the processor away {switches} times in {measured_s:.1f} s of measuring: "
        "stop it, or give the target fewer threads"
    )


def _loaded(runs: Sequence[ProcessRun]) -> str:
    ended = [one for one in runs if one.machine]
    cores = ended[0].machine.get("usable_cores") if ended else None
    load = ended[0].machine.get("load_1m") if ended else None
    if not isinstance(cores, int) or not isinstance(load, int | float) or load <= cores:
        return ""
    return f"the load was {load:.1f} on {cores} usable cores when this was measured"
