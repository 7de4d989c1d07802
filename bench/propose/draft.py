"""A contract while it is being found out: tensors, sizes, state; and what of it is a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.artifacts import ArtifactFacts
from bench.artifacts.facts import free_dimension
from bench.device.adapter import UNTOLD, TensorSpec
from bench.errors import ContractError

UNNAMED = re.compile(r".*:\d+|unk__\d+", re.DOTALL)
"""A dimension that no human named, one name a tensor: made up by us, or by tf2onnx."""
_NUMBERED = re.compile(r"s\d+")
"""A dimension that torch.export named."""
DIMENSION = re.compile(r"[A-Za-z_][^\x00-\x1f\x7f]{0,190}")
"""A name of a dimension that a contract can hold."""
BATCH = re.compile(r"n|b|bs|batch.*|.*_batch|.*batch_?size|num_?samples", re.IGNORECASE)
_SEQUENCE = re.compile(r"t|l|s|.*(seq|len|time|frame|token|step|sample|width|height|audio).*", re.IGNORECASE)
LENGTH = re.compile(r"t|l|.*(seq|len|token|word|time|frame|step).*", re.IGNORECASE)
"""A name of a dimension that goes on in time: whose size is a sample's own, and no number of samples."""
_OPTION = re.compile(r"(?P<name>.+)=(?P<value>[1-9]\d{0,8})", re.DOTALL)


@dataclass(frozen=True)
class InputDraft:
    """One input: its spec, the range to generate from."""

    spec: TensorSpec
    low: float = 0.0
    high: float = 1.0
    assumed: bool = False
    """Whether nothing tells its dtype and shape: what stands here is only to be written over."""


@dataclass(frozen=True)
class Draft:
    """Everything that the contract will say, but for its limits."""

    kind: str
    path: Path
    facts: ArtifactFacts
    inputs: tuple[InputDraft, ...]
    outputs: tuple[TensorSpec, ...]
    dims: Mapping[str, int] = field(default_factory=dict)
    batch: str | None = None
    state: Mapping[str, str] = field(default_factory=dict)
    samples: Path | None = None
    precision: str = "fp32"
    nameless: bool = False
    """Whether nothing tells even the names of the inputs."""

    @property
    def free(self) -> tuple[str, ...]:
        """The symbolic dimensions of the inputs, but for the batch, in order."""
        sizes = [size for one in self.inputs if one.spec.shape != UNTOLD for size in one.spec.shape]
        found = [size for size in sizes if isinstance(size, str) and size != self.batch]
        return tuple(dict.fromkeys(found))

    @property
    def fed(self) -> tuple[InputDraft, ...]:
        """The inputs that a query brings: all but those fed by state."""
        return tuple(one for one in self.inputs if one.spec.name not in self.state)

    def renamed(self, names: Mapping[str, str | int]) -> Draft:
        """With dimensions under other names, or fixed, in every tensor."""
        return replace(
            self,
            inputs=tuple(replace(one, spec=_renamed(one.spec, names)) for one in self.inputs),
            outputs=tuple(_renamed(spec, names) for spec in self.outputs),
        )

    @property
    def untold(self) -> tuple[str, ...]:
        """The inputs of which nothing tells how many dimensions they have."""
        return tuple(one.spec.name for one in self.inputs if one.spec.shape == UNTOLD)

    def ranked(self, rank: int) -> Draft:
        """With so many free dimensions where nothing tells how many there are."""
        return replace(
            self,
            inputs=tuple(
                replace(one, spec=of_rank(one.spec, rank)) if one.spec.shape == UNTOLD else one for one in self.inputs
            ),
        )


def unnamed(tensor: str, axis: int) -> str:
    """A name for a dimension that has none, which a contract can hold: ``image:0``."""
    name = free_dimension(tensor, axis)
    return name if DIMENSION.fullmatch(name) else "dim_" + re.sub(r"[\x00-\x1f\x7f]", "_", name)[-150:]


def of_rank(spec: TensorSpec, rank: int) -> TensorSpec:
    """The tensor with so many free dimensions."""
    return replace(spec, shape=tuple(unnamed(spec.name, axis) for axis in range(rank)))


def _renamed(spec: TensorSpec, names: Mapping[str, str | int]) -> TensorSpec:
    return TensorSpec(
        spec.name, spec.dtype, tuple(names.get(size, size) if isinstance(size, str) else size for size in spec.shape)
    )


def with_sizes(draft: Draft, options: Sequence[str]) -> Draft:
    """Take ``--dim NAME=VALUE`` in: NAME is a dimension's name, or ``input:axis``.

    Axes of one name that are given different sizes get a name each. Raises ContractError for an option
    that is none, names no free dimension, or gives a size to what another has given one.
    """
    given: dict[str, dict[str, int]] = {}
    for option in options:
        match = _OPTION.fullmatch(option)
        if match is None:
            raise ContractError(f"--dim {option}: write NAME=VALUE with a value of 1 or more, like --dim height=640")
        name, place = _dimension_named(draft, match["name"])
        if name is None:
            free = ", ".join(f"`{one}`" for one in draft.free) or "none"
            raise ContractError(f"--dim {option}: the model has no free dimension `{match['name']}`; it has {free}")
        before, value = given.setdefault(name, {}), int(match["value"])
        for other, size in before.items():
            if size != value and (place == other or name in (place, other)):
                raise ContractError(f"--dim {option}: --dim {other}={size} gives it another size: give it one")
        before[place] = value
    dims = dict(draft.dims)
    for name, sizes in given.items():
        if len(set(sizes.values())) > 1:
            draft, names = apart(draft, name)
            dims |= {names[place]: value for place, value in sizes.items()}
        else:
            dims[name] = next(iter(sizes.values()))
    return replace(draft, dims=dims)


def apart(draft: Draft, name: str) -> tuple[Draft, dict[str, str]]:
    """With a name of its own for each axis of the inputs that has this one; and the names by ``input:axis``."""
    names: dict[str, str] = {}
    inputs = []
    for one in draft.inputs:
        shape: list[int | str] = list(one.spec.shape)
        for axis in [axis for axis, size in enumerate(shape) if size == name]:
            shape[axis] = names[free_dimension(one.spec.name, axis)] = f"{name[:150]}_{len(names) + 1}"
        inputs.append(replace(one, spec=replace(one.spec, shape=tuple(shape))))
    return replace(draft, inputs=tuple(inputs)), names


def _dimension_named(draft: Draft, name: str) -> tuple[str | None, str]:
    """The free dimension that ``name`` means, if any, and which of its axes: ``input:axis``, or all by its name."""
    tensor, _, axis = name.rpartition(":")
    for one in draft.inputs:
        if one.spec.name == tensor and axis.isdecimal() and int(axis) < len(one.spec.shape):
            size = one.spec.shape[int(axis)]
            return size if isinstance(size, str) else None, free_dimension(tensor, int(axis))
    return name if name in draft.free else None, name


def with_batch(draft: Draft) -> Draft:
    """Recognise the dimension that counts samples: free, first, and named like one or shared by all.

    Unnamed first dimensions of further inputs, and unnamed ones of state inputs, are taken to be the
    same; whether the model agrees is found out by running it. A dimension with a value is not asked.
    """
    firsts = [one.spec.shape[0] for one in draft.fed if one.spec.shape]
    free = [size for size in firsts if isinstance(size, str) and size not in draft.dims]
    named = [size for size in free if BATCH.fullmatch(size)]
    shared = not any(_SEQUENCE.fullmatch(size) for size in free if not UNNAMED.fullmatch(size)) and (
        len({size for size in free if not UNNAMED.fullmatch(size)}) <= 1
    )
    batch = next(iter(named or (sorted(free, key=lambda size: bool(UNNAMED.fullmatch(size))) if shared else ())), None)
    if batch is None:
        return draft
    ties = [size for size in free if UNNAMED.fullmatch(size)]
    ties += [
        size
        for one in draft.inputs
        for size in one.spec.shape
        if one.spec.name in draft.state and isinstance(size, str) and UNNAMED.fullmatch(size)
    ]
    taken = {size for one in draft.inputs for size in one.spec.shape}
    odd = bool(UNNAMED.fullmatch(batch) or _NUMBERED.fullmatch(batch))
    name = "batch" if odd and "batch" not in taken else batch
    tied = {size: name for size in (batch, *ties) if size not in draft.dims}
    return replace(draft.renamed(tied), batch=name)


def without_batch(draft: Draft) -> Draft:
    """The batch size fixed at one: what is left where the model takes one sample a query and no other number.

    A name that several inputs share stays: it says that they go together.
    """
    if draft.batch is None:
        return draft
    if sum(draft.batch in one.spec.shape for one in draft.inputs) > 1:
        return replace(draft, dims={**draft.dims, draft.batch: 1}, batch=None)
    return replace(draft.renamed({draft.batch: 1}), batch=None)
