"""The model's outputs against the validation set: accuracy and agreement figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from bench.contract.model import Contract
from bench.metrics import QUALITY
from bench.plan import Case
from bench.results import Figure, ProcessRun


def quality_figures(
    case: Case,
    contract: Contract,
    finished: Sequence[ProcessRun],
    outputs: Mapping[str, NDArray[Any]] | None,
    allow_code: bool,
) -> dict[tuple[str, str], Figure]:
    """By (block, metric), every figure that the validation files allow and every required one."""
    return {
        (one.block, one.metric): Figure(one.metric, one.unit, None, why_not="accuracy is not computed yet")
        for one in case.requirements
        if one.block in QUALITY
    }
