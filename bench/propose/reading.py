"""The first draft: what the artifact itself tells of inputs, outputs and state."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.artifacts import ArtifactFacts, onnx_file, torch_export, torchscript
from bench.contract.problems import quoted
from bench.device.adapter import STATES, UNTOLD, TensorSpec
from bench.errors import ContractError
from bench.propose.draft import DIMENSION, Draft, InputDraft
from bench.propose.search import Hints
from bench.propose.state import recognised

_AS_TRACED = "TorchScript tells names, and shapes only as traced; write the dtype, shape and free dimensions of each"
_UNTOLD = "the artifact does not tell them; write the name, dtype and shape of each"
_NUMBERS = {"int": "int64", "float": "float32", "bool": "bool"}
"""Plain numbers that TorchScript's ``forward`` takes -> the scalar that a query brings for one."""


@dataclass(frozen=True)
class Reading:
    """The draft, what has to be filled in by hand, and what the artifact lets guess."""

    draft: Draft
    by_hand: tuple[str, ...] = ()
    hints: Hints = field(default_factory=Hints)


def first_draft(kind: str, model: Path, facts: ArtifactFacts) -> Reading:
    """What the artifact tells. Raises ContractError for a model without inputs or with what cannot be fed."""
    by_hand: list[str] = []
    outputs = facts.outputs
    drafts = tuple(InputDraft(spec) for spec in facts.inputs or ())
    nameless = False
    if facts.inputs is None:
        drafts, others = _arguments(kind, model)
        nameless = not drafts
        drafts = drafts or (InputDraft(TensorSpec("input", "float32", (1,)), assumed=True),)
        by_hand.append(f"`inputs`: {_AS_TRACED if kind == 'torchscript' else _UNTOLD}")
        by_hand += others
    inputs = tuple(one.spec for one in drafts)
    if outputs is None:
        outputs = (TensorSpec("output", "float32", ()),)
        by_hand.append("`outputs`: the artifact does not tell them; write the name, dtype and shape of each")
    if kind in STATES:
        by_hand.append("`factory`: weights alone cannot run; name your function that builds the module they belong to")
    if not inputs:
        raise ContractError(f"{model}: the model takes no input, so there is nothing to measure it with")
    for spec in (*inputs, *outputs):
        _check_dtype(model, spec)
        _check_sizes(model, spec)
    state = {} if by_hand else recognised(inputs, outputs)
    names = _safe_names([*inputs, *outputs])
    draft = Draft(kind, model, facts, drafts, tuple(outputs), state=state, nameless=nameless)
    return Reading(draft.renamed(names), tuple(by_hand), _hints(kind, model))


def _hints(kind: str, model: Path) -> Hints:
    exported = torch_export.examples(model) if kind == "torch-export" else {}
    contracted = onnx_file.contracted_sizes(model) if kind == "onnx" else ()
    return Hints(exported, contracted)


def _arguments(kind: str, model: Path) -> tuple[tuple[InputDraft, ...], list[str]]:
    """What TorchScript's ``forward`` takes, tensors in the shapes it was traced with or in none; what is left out."""
    if kind != "torchscript":
        return (), []
    drafts, others = [], []
    for one in torchscript.arguments(model):
        if one.type == "Tensor":
            spec = TensorSpec(one.name, one.dtype or "float32", one.shape or (1,))
            drafts.append(InputDraft(spec, assumed=one.shape is None))
        elif one.type in _NUMBERS:
            drafts.append(InputDraft(TensorSpec(one.name, _NUMBERS[one.type], ())))
        else:
            told = f"`{one.name}` ({one.type}), which is neither a tensor nor a number"
            others.append(f"`inputs`: `forward` also takes {told}: it is left out here")
    return tuple(drafts), others


def _check_dtype(model: Path, spec: TensorSpec) -> None:
    from bench.contract.grammar import DTYPES

    if spec.dtype not in DTYPES:
        raise ContractError(
            f"{model}: {quoted(spec.name)} is {spec.dtype}, which cannot be measured; "
            f"the dtypes are {', '.join(DTYPES)}"
        )


def _check_sizes(model: Path, spec: TensorSpec) -> None:
    if 0 in spec.shape:
        raise ContractError(
            f"{model}: {quoted(spec.name)} has a dimension of 0, and only tensors with something in them can be "
            f"measured; export the model with sizes of 1 or more, or without it"
        )


def _safe_names(specs: Iterable[TensorSpec]) -> dict[str, str]:
    """Names of dimensions that a contract cannot hold -> names that it can."""
    names = {size for spec in specs for size in spec.shape if isinstance(size, str) and spec.shape != UNTOLD}
    bad = sorted(name for name in names if not DIMENSION.fullmatch(name) or name != name.strip())
    return {name: f"dim_{index}_{re.sub(r'[^A-Za-z0-9_:]', '_', name)[:80]}" for index, name in enumerate(bad)}
