"""What precision a model's own tensors say, in the contract's words."""

from __future__ import annotations

from typing import Mapping

from bench.device.adapter import ModelFiles

WORDS = {"float32": "fp32", "float16": "fp16", "float64": "fp64", "bfloat16": "bf16"}


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
