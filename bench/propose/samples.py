"""What the user's samples tell of a model's free dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench.device.adapter import UNTOLD, TensorSpec
from bench.device.library import MAX_SAMPLES_BYTES
from bench.device.npy_format import Header
from bench.device.safe_arrays import npz_headers
from bench.errors import ContractError
from bench.propose.draft import LENGTH, Draft, InputDraft, of_rank, unnamed, with_batch


def with_samples(draft: Draft, samples: Path) -> Draft:
    """Take the sizes of the samples in; ContractError where they are not this model's."""
    try:
        headers = npz_headers(samples, MAX_SAMPLES_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ContractError(f"{samples}: cannot be read as samples: {reason}") from error
    draft = _as_brought(draft, headers)
    dims = dict(draft.dims)
    for one in draft.fed:
        name = one.spec.name
        if name not in headers:
            found = ", ".join(f"`{other}`" for other in sorted(headers)) or "none"
            raise ContractError(f"{samples}: has no array `{name}`, which the model takes; its arrays are {found}")
        if one.spec.shape == UNTOLD:
            one = replace(one, spec=of_rank(one.spec, len(headers[name][1])))
            draft = replace(draft, inputs=tuple(one if old.spec.name == name else old for old in draft.inputs))
        for size, seen in _sizes(samples, one, headers[name]):
            dims.setdefault(size, seen)
    draft = replace(draft, dims=dims, samples=samples)
    _refuse_rows_in_time(draft, headers)
    return draft


def _refuse_rows_in_time(draft: Draft, headers: Mapping[str, Header]) -> None:
    """ContractError where an array's first axis is, by its name, a sample's own length: a guess would be no answer."""
    batched = with_batch(draft)
    for one in batched.fed:
        shape, sizes = headers[one.spec.name][1], one.spec.shape
        first = sizes[0] if sizes and len(shape) == len(sizes) else None
        if not isinstance(first, str) or first == batched.batch or first in draft.dims or not LENGTH.fullmatch(first):
            continue
        stacked = ", ".join(["n", *map(str, sizes)])
        raise ContractError(
            f"{draft.samples}: array `{one.spec.name}` has shape {shape}, and the model's first dimension `{first}` "
            f"counts no samples by its name: write samples on an axis before it, [{stacked}], or say "
            f"--dim {first}={shape[0]} where the array is one sample, --dim {first}=1 where each row is one"
        )


def _as_brought(draft: Draft, headers: Mapping[str, Header]) -> Draft:
    """With what the samples are, where nothing else tells of an input: their first axis is taken for the batch."""
    if draft.nameless and headers:
        inputs = [_brought(InputDraft(TensorSpec(name, "", ())), header) for name, header in headers.items()]
    else:
        known = draft.inputs
        inputs = [_brought(one, headers[one.spec.name]) if _is_open(one, headers) else one for one in known]
    return replace(draft, inputs=tuple(inputs))


def taken_from(samples: Path | None, before: Draft, draft: Draft) -> list[str]:
    """A remark on the inputs of which only the samples tell."""
    told = [one.spec.name for one in before.inputs if not one.assumed]
    names = [f"`{one.spec.name}`" for one in draft.inputs if one.spec.name not in told and not one.assumed]
    if samples is None or not names:
        return []
    return [f"`inputs`: dtype and shape of {', '.join(names)} are the samples', their first axis taken for the batch"]


def _is_open(one: InputDraft, headers: Mapping[str, Header]) -> bool:
    return one.assumed and one.spec.name in headers


def _brought(one: InputDraft, header: Header) -> InputDraft:
    dtype, shape = header
    name = one.spec.name
    sizes: tuple[int | str, ...] = (unnamed(name, 0), *shape[1:]) if shape else ()
    return InputDraft(TensorSpec(name, str(dtype), sizes))


def _sizes(samples: Path, one: InputDraft, header: Header) -> list[tuple[str, int]]:
    """(dimension, size) that an array tells: stacked samples tell every one, a batch all but its first."""
    dtype, shape = header
    if dtype != one.spec.dtype:
        raise ContractError(f"{samples}: array `{one.spec.name}` is {dtype}, and the model takes {one.spec.dtype}")
    rank = len(one.spec.shape)
    if len(shape) not in (rank, rank + 1):
        raise ContractError(
            f"{samples}: array `{one.spec.name}` has shape {shape}, and the model takes samples of {rank} dimensions"
        )
    pairs = list(zip(one.spec.shape, shape[len(shape) - rank :], strict=True))
    if len(shape) == rank:
        pairs = pairs[1:]
    for size, seen in pairs:
        if isinstance(size, int) and size != seen:
            raise ContractError(
                f"{samples}: array `{one.spec.name}` has shape {shape}, and the model takes {list(one.spec.shape)}"
            )
    return [(size, seen) for size, seen in pairs if isinstance(size, str)]
