"""Whether the model gave numbers at all: how fast it gives none says nothing of a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from bench.device.outputs import samples_with_nan
from bench.device.records import NAN_MEASURED, NAN_OUTPUTS
from bench.results import ProcessRun


def why_no_numbers(finished: Sequence[ProcessRun], outputs: Mapping[str, NDArray[Any]]) -> str:
    """Why no timing of the case may be called met, or nothing.

    ``outputs`` are those over all validation samples, ``[n, …]``, where they were kept: they know more than the first
    query, which is one sample.
    """
    for run in finished:
        if name := run.facts.get(NAN_MEASURED):
            return f"output `{name}` was not a number (NaN) in all queries that were looked at when it was measured"
    for name, array in outputs.items():
        if array.size and samples_with_nan(array, len(array)) == len(array):
            return f"output `{name}` is not a number (NaN) in all of {len(array):,} validation samples"
    if outputs or not finished:
        return ""
    silent = [run.facts.get(NAN_OUTPUTS) for run in finished]
    names = [name for name in silent if name]
    if len(names) < len(finished):
        return ""
    return f"output `{names[0]}` is not a number (NaN) in the first query"
