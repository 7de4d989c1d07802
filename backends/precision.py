"""What precision a model's own tensors say, in the contract's words."""

from __future__ import annotations

from typing import Dict, Mapping

from bench.device.adapter import ModelFiles

WORDS = {"float32": "fp32", "float16": "fp16", "float64": "fp64", "bfloat16": "bf16"}


def of(weights: Mapping[str, int], model: ModelFiles) -> str:
    """The precision of most floating-point weights; of the inputs and outputs where there are none.

    ``weights`` counts elements by dtype. A model without any floating-point tensor counts as ``fp32``.
    """
    floating: Dict[str, int] = {dtype: number for dtype, number in weights.items() if dtype in WORDS and number}
    for spec in () if floating else model.inputs + model.outputs:
        if spec.dtype in WORDS:
            floating[spec.dtype] = floating.get(spec.dtype, 0) + 1
    return WORDS[max(floating, key=lambda dtype: floating[dtype])] if floating else "fp32"
