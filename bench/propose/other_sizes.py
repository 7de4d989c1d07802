"""Which sizes of outputs follow from free ones of the inputs: the model is run with other sizes than those found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bench.propose import trial
from bench.propose.draft import Draft
from bench.propose.search import MAX_SAMPLE_BYTES, sample_bytes
from bench.propose.trial import Heard

MAX_RUNS = 8


@dataclass(frozen=True)
class OtherSizes:
    """What came out with other sizes, and whether every free dimension had one."""

    heard: tuple[Heard, ...] = ()
    whole: bool = True


def with_other_sizes(draft: Draft, backend: str) -> OtherSizes:
    """Half or twice the size of all free dimensions at once; where the model takes neither, of one after the other."""
    free = draft.free
    if not free:
        return OtherSizes()
    runs = 0
    found: list[Heard] = []
    moved: set[str] = set()
    for names in ([free] if len(free) > 1 else []) + [(name,) for name in free]:
        for sizes in _others({name: draft.dims[name] for name in names if name in draft.dims}):
            if moved == set(free) or runs >= MAX_RUNS or _is_too_large(draft, sizes):
                continue
            runs += 1
            heard = trial.resized(draft, backend, sizes)
            if heard.failure is None:
                found.append(heard)
                moved |= set(sizes)
                break
    return OtherSizes(tuple(found), moved == set(free))


def _others(sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Half of each, which is quick; then twice."""
    if all(size > 1 for size in sizes.values()):
        yield {name: size // 2 for name, size in sizes.items()}
    yield {name: size * 2 for name, size in sizes.items()}


def _is_too_large(draft: Draft, sizes: Mapping[str, int]) -> bool:
    return sample_bytes(replace(draft, dims={**draft.dims, **sizes})) > MAX_SAMPLE_BYTES
