"""What is said of a case that was measured on a made-up board. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results import ProcessRun


def note(runs: Sequence[ProcessRun]) -> str:
    """One sentence where a process ran on an emulated machine; else nothing."""
    if not any(run.machine.get("emulated") is True for run in runs):
        return ""
    return "measured on an emulated board (qemu): its times say nothing of real hardware; memory and outputs hold"
