"""What the user's samples tell of a model's free dimensions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.device.library import MAX_SAMPLES_BYTES
from bench.device.safe_arrays import Header, npz_headers
from bench.errors import ContractError
from bench.propose.draft import Draft, InputDraft


def with_samples(draft: Draft, samples: Path) -> Draft:
    """Take the sizes of the samples in; ContractError where they are not this model's."""
    try:
        headers = npz_headers(samples, MAX_SAMPLES_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ContractError(f"{samples}: cannot be read as samples: {reason}") from error
    dims = dict(draft.dims)
    for one in draft.fed:
        name = one.spec.name
        if name not in headers:
            found = ", ".join(f"`{other}`" for other in sorted(headers)) or "none"
            raise ContractError(f"{samples}: has no array `{name}`, which the model takes; its arrays are {found}")
        for size, seen in _sizes(samples, one, headers[name]):
            dims.setdefault(size, seen)
    return replace(draft, dims=dims, samples=samples)


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
