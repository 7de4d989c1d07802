"""What outputs are, as runs showed them: a size is written down only where it follows from the inputs' sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.device.adapter import UNTOLD, TensorSpec
from bench.propose import trial
from bench.propose.draft import UNNAMED, Draft, InputDraft, unnamed
from bench.propose.other_sizes import with_other_sizes
from bench.propose.trial import Heard

Shape = tuple[int, ...]


def outputs_seen(draft: Draft, backend: str, one: Heard, two: Heard) -> tuple[TensorSpec, ...]:
    """The outputs as two runs showed them, the second with twice the samples where there is a batch.

    A size that nothing tells is asked for again with other values of the same shapes: the size of what ``NonZero``
    gives is the values' own. And with other sizes of the inputs' free dimensions: one that moves with them stays open.
    """
    if not _is_open(draft):
        return tuple(_spec_seen(spec, draft, one, two, [], True) for spec in draft.outputs)
    resized = with_other_sizes(draft, backend)
    values = [trial.outputs_of(draft, backend, 1, 1, other) for other in (_low, _halves)]
    others = [other for other in (*values, *resized.heard) if other.failure is None]
    return tuple(_spec_seen(spec, draft, one, two, others, resized.whole) for spec in draft.outputs)


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


def _spec_seen(
    spec: TensorSpec, draft: Draft, one: Heard, two: Heard, others: Sequence[Heard], whole: bool
) -> TensorSpec:
    """Replace free dimensions by what they were: the batch, or a size that all runs had in common.

    ``whole`` is whether every free dimension of the inputs had another size in one of the ``others``.
    """
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
    seen = [shape for other in others if (shape := other.shapes.get(spec.name))]
    sizes: list[int | str] = []
    for axis, size in enumerate(own):
        varies = any(shape[axis : axis + 1] != first[axis : axis + 1] for shape in seen)
        if isinstance(size, int) or size in known or varies:
            sizes.append(size)
        else:
            sizes.append(_size(size, draft, first[axis], second[axis], whole))
    return TensorSpec(spec.name, spec.dtype, tuple(sizes))


def _size(own: str, draft: Draft, first: int, second: int, whole: bool) -> int | str:
    """What a free size is called where nothing that was tried changed it.

    One that the model's author named stays open unless it was tried whether it follows from the inputs' free sizes.
    """
    if draft.batch is not None and (first, second) == (1, 2):
        return draft.batch
    is_told = UNNAMED.fullmatch(own) is not None or (bool(draft.free) and whole)
    return first if first == second and first > 0 and is_told else own
