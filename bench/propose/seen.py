"""What outputs are, as runs showed them: a size is written down only where it follows from the inputs' sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.device.adapter import UNTOLD, TensorSpec
from bench.propose import trial
from bench.propose.draft import UNNAMED, Draft, InputDraft, unnamed
from bench.propose.trial import Heard

Shape = tuple[int, ...]


def outputs_seen(draft: Draft, backend: str, one: Heard, two: Heard) -> tuple[TensorSpec, ...]:
    """The outputs as two runs showed them, the second with twice the samples where there is a batch.

    A size that nothing tells is asked for again with other values of the same shapes: the size of what ``NonZero``
    gives is the values' own.
    """
    others = [trial.outputs_of(draft, backend, 1, 1, values) for values in (_low, _halves)] if _is_open(draft) else []
    return tuple(_spec_seen(spec, draft, one, two, others) for spec in draft.outputs)


def _is_open(draft: Draft) -> bool:
    known = set(draft.dims) | {draft.batch}
    fed = draft.state.values()
    told = [spec for spec in draft.outputs if spec.name not in fed]
    return any(
        spec.shape == UNTOLD or any(isinstance(size, str) and size not in known for size in spec.shape) for spec in told
    )


def _low(one: InputDraft, array: Any) -> Any:
    """Every value the least one: of the samples, or of the range."""
    return np.full_like(array, _bounds(one, array)[0])


def _halves(one: InputDraft, array: Any) -> Any:
    """Each row half greatest values, half zeros; least ones where zero is none of its values."""
    low, high = _bounds(one, array)
    filled = np.full_like(array, high)
    if filled.ndim:
        filled[..., : filled.shape[-1] // 2] = 0 if low <= 0 <= high else low
    return filled


def _bounds(one: InputDraft, array: Any) -> tuple[Any, Any]:
    """The range that generated values are drawn from; of the user's samples, which may leave it, their own."""
    if array.size == 0 or array.dtype.kind == "b":
        return 0, 1
    return min(one.low, array.min()), max(one.high, array.max())


def _spec_seen(spec: TensorSpec, draft: Draft, one: Heard, two: Heard, others: Sequence[Heard]) -> TensorSpec:
    """Replace free dimensions by what they were: the batch, or a size that all runs had in common."""
    first, second = one.shapes.get(spec.name), two.shapes.get(spec.name)
    if spec.name in draft.state.values():
        fed = next(one.spec for one in draft.inputs if draft.state.get(one.spec.name) == spec.name)
        return TensorSpec(spec.name, spec.dtype, fed.shape)
    if first is None or second is None or len(first) != len(second):
        return spec
    if spec.shape != UNTOLD and len(first) != len(spec.shape):
        return spec
    known = set(draft.dims) | {draft.batch}
    own = spec.shape if spec.shape != UNTOLD else tuple(unnamed(spec.name, axis) for axis in range(len(first)))
    seen = [shape for other in others if other.failure is None and (shape := other.shapes.get(spec.name))]
    sizes: list[int | str] = []
    for axis, size in enumerate(own):
        varies = any(shape[axis : axis + 1] != first[axis : axis + 1] for shape in seen)
        if isinstance(size, int) or size in known or varies:
            sizes.append(size)
        else:
            sizes.append(_size(size, draft, first[axis], second[axis]))
    return TensorSpec(spec.name, spec.dtype, tuple(sizes))


def _size(own: str, draft: Draft, first: int, second: int) -> int | str:
    """What a free size is called where other values changed nothing.

    One that the model's author named, where no input has a free size that it could follow from, is the values' own.
    """
    if draft.batch is not None and (first, second) == (1, 2):
        return draft.batch
    follows = bool(draft.free) or UNNAMED.fullmatch(own) is not None
    return first if first == second and first > 0 and follows else own
