"""Which inputs are fed by an output of the query before, as far as their names make it clear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.device.adapter import UNTOLD, TensorSpec

_SUFFIXES = ("N", "n", "_n", "_out", "_next", "_new", "Out", "out", "_output", "1")
_PAIRS = (
    ("_in", "_out"),
    ("_input", "_output"),
    ("_prev", "_next"),
    ("_old", "_new"),
    ("_0", "_n"),
    ("0", "n"),
    ("in_", "out_"),
    ("input_", "output_"),
    ("prev_", "next_"),
    ("old_", "new_"),
    ("past_key_values", "present"),
    ("past", "present"),
    ("In", "Out"),
)
_STATEFUL = ("state", "hidden", "cell", "cache", "memory", "carry", "past", "buffer", "hx", "cx")


def recognised(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> dict[str, str]:
    """Input -> the output that feeds it: names that belong together, equal dtypes, shapes that can be equal."""
    by_name = {spec.name: spec for spec in outputs}
    found: dict[str, str] = {}
    for spec in inputs:
        for name in _answers(spec.name):
            if name in by_name and name not in found.values() and _fits(spec, by_name[name]):
                found[spec.name] = name
                break
    return found


def _answers(name: str) -> Iterator[str]:
    """The names that the output feeding the input ``name`` may have."""
    lower = name.lower()
    if lower in ("h", "c", "s", "h0", "c0") or any(word in lower for word in _STATEFUL):
        yield from (name + suffix for suffix in _SUFFIXES)
    for before, after in _PAIRS:
        if name.endswith(before):
            yield name[: -len(before)] + after
        if name.startswith(before):
            yield after + name[len(before) :]


def _fits(one: TensorSpec, other: TensorSpec) -> bool:
    return (
        one.dtype == other.dtype
        and bool(one.shape)
        and (other.shape == UNTOLD or len(one.shape) == len(other.shape))
        and all(
            isinstance(ours, str) or isinstance(theirs, str) or ours == theirs
            for ours, theirs in zip(one.shape, other.shape, strict=False)
        )
    )
