"""What precision a model's own tensors say, in the contract's words."""

from __future__ import annotations

from typing import Mapping

from bench.device.adapter import ModelFiles

WORDS = {"float32": "fp32", "float16": "fp16", "float64": "fp64", "bfloat16": "bf16"}
NARROW = ("float16", "bfloat16")
QUANTISED = ("int8", "uint8", "int4", "uint4")


def of(weights: Mapping[str, int], model: ModelFiles) -> str:
    """The precision of most floating-point weights.

    ``weights`` counts elements by dtype. Without any, inputs and outputs tell: ``fp32`` where one of them
    is float32 or none is floating-point.
    """
    floating = {dtype: number for dtype, number in weights.items() if dtype in WORDS and number}
    if floating:
        return WORDS[max(floating, key=lambda dtype: floating[dtype])]
    shown = {WORDS[spec.dtype] for spec in model.inputs + model.outputs if spec.dtype in WORDS}
    return min(shown) if shown and "fp32" not in shown else "fp32"


def is_narrow(weights: Mapping[str, int], model: ModelFiles) -> bool:
    """Whether there are 16-bit floating-point numbers among weights, inputs and outputs."""
    return any(weights.get(one) for one in NARROW) or any(one.dtype in NARROW for one in model.inputs + model.outputs)


def quantised(weights: Mapping[str, int]) -> str:
    """Where most weights are small integers, a sentence that says so, with a ``%s`` for the precision's word."""
    floating = sum(number for dtype, number in weights.items() if dtype in WORDS)
    small = {dtype: weights[dtype] for dtype in QUANTISED if weights.get(dtype)}
    if sum(small.values()) <= floating:
        return ""
    shown = " and ".join("%s (%d)" % told for told in small.items())
    return "weights are " + shown + ": the model is quantised, and precision %s is only of its floating-point parts"
