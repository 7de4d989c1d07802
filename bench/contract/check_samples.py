"""Samples by their values: what a reader should know of them, though a model may take it all.

No number and infinity are notices, unlike in predictions: a tree takes a NaN for a value that is missing, and a mask
holds -inf on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.findings import Findings
from bench.contract.model import Contract, Input
from bench.contract.problems import quoted


def check(contract: Contract, arrays: Mapping[str, NDArray[Any]], findings: Findings) -> None:
    """Note values of each input's array that are no numbers, and those outside the range that the contract declares."""
    for one in contract.inputs:
        array = arrays.get(one.spec.name)
        if array is None or array.size == 0 or array.dtype.kind not in "iuf":
            continue
        numbers = array
        if array.dtype.kind == "f":
            numbers = array[np.isfinite(array)]
            _not_finite(contract, one, array.size - numbers.size, array.size, findings)
        if numbers.size and ("inputs", one.spec.name, "range") in contract.places:
            _outside(contract, one, numbers, findings)


def _not_finite(contract: Contract, one: Input, bad: int, size: int, findings: Findings) -> None:
    if bad:
        message = f"{bad:,} of {size:,} values of the samples' array {quoted(one.spec.name)} are NaN or infinite"
        place = contract.place("validation", "samples")
        findings.notice(f"{message}: most models then answer NaN, which has no accuracy", place)


def _outside(contract: Contract, one: Input, numbers: NDArray[Any], findings: Findings) -> None:
    """The range is rounded as the samples are: 0.1 in float32 is a little more than 0.1."""
    least, most = numbers.min(), numbers.max()
    with np.errstate(over="ignore"):  # a bound that the dtype does not hold is told where the range is read
        low, high = (np.asarray(bound).astype(numbers.dtype) for bound in (one.low, one.high))
    if low <= least and most <= high:
        return
    reach = f"the samples of {quoted(one.spec.name)} reach from {_told(least)} to {_told(most)}"
    message = f"{reach}, outside the range [{one.low:g}, {one.high:g}]: correct the range, or look at the samples"
    findings.notice(message, contract.place("inputs", one.spec.name, "range"))


def _told(value: np.generic) -> str:
    return f"{value.item():g}" if value.dtype.kind == "f" else f"{value.item()}"
