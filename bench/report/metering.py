"""What stands behind energy and GPU memory, in a few words: how they were found, and what the GPU was like. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench import units
from bench.report.text import clean
from bench.results import ProcessRun

OF_THE_GPU = {"gpu clocks": "GPU", "gpu temperature": "", "gpu power": ""}
"""The facts that are worth a word in every report, and what stands before them."""


def words(processes: Sequence[ProcessRun]) -> list[str]:
    """Of the first process that tells; nothing where none was looked at."""
    told = next((one for one in processes if one.metered is not None), None)
    if told is None or told.metered is None:
        return []
    found, metered = [], told.metered
    gpu = [
        f"{before} {clean(str(told.facts[name]))}".strip() for name, before in OF_THE_GPU.items() if name in told.facts
    ]
    if gpu:
        found.append(", ".join(gpu))
    if metered.gpu_bytes is not None:
        own = (
            ""
            if metered.own_bytes is None
            else f", {units.show(metered.own_bytes, 'bytes')} by its framework's account"
        )
        found.append(f"GPU memory by {clean(metered.gpu_by)}{own}")
    if metered.energy_uj is not None:
        spent = units.show(metered.energy_uj, "uj")
        found.append(f"{spent} in {units.show(metered.window_ns, 'ns')} by {clean(metered.energy_by)}")
    return found
