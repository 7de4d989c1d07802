"""The first draft: what the artifact itself tells of inputs, outputs and state."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.artifacts import ArtifactFacts, onnx_file, torch_export, torchscript
from bench.device.adapter import STATES, TensorSpec
from bench.errors import ContractError
from bench.propose.draft import Draft, InputDraft
from bench.propose.search import Hints
from bench.propose.state import recognised

_DIMENSION = re.compile(r"[A-Za-z_][^\x00-\x1f\x7f]{0,190}")

_INPUTS_UNTOLD = {
    True: "TorchScript tells names, and shapes only as traced; write the dtype, shape and free dimensions of each",
    False: "the artifact does not tell them; write the name, dtype and shape of each",
}


@dataclass(frozen=True)
class Reading:
    """The draft, what has to be filled in by hand, and what the artifact lets guess."""

    draft: Draft
    by_hand: tuple[str, ...] = ()
    hints: Hints = field(default_factory=Hints)


def first_draft(kind: str, model: Path, facts: ArtifactFacts) -> Reading:
    """What the artifact tells. Raises ContractError for a model without inputs or with what cannot be fed."""
    by_hand: list[str] = []
    inputs, outputs = facts.inputs, facts.outputs
    if inputs is None:
        inputs = _arguments(kind, model)
        by_hand.append(f"`inputs`: {_INPUTS_UNTOLD[kind == 'torchscript']}")
    if outputs is None:
        outputs = (TensorSpec("output", "float32", ()),)
        by_hand.append("`outputs`: the artifact does not tell them; write the name, dtype and shape of each")
    if kind in STATES:
        by_hand.append("`factory`: weights alone cannot run; name your function that builds the module they belong to")
    if not inputs:
        raise ContractError(f"{model}: the model takes no input, so there is nothing to measure it with")
    for spec in (*inputs, *outputs):
        _check_dtype(model, spec)
    state = {} if by_hand else recognised(inputs, outputs)
    names = _safe_names([*inputs, *outputs])
    draft = Draft(kind, model, facts, tuple(InputDraft(spec) for spec in inputs), tuple(outputs), state=state)
    return Reading(draft.renamed(names), tuple(by_hand), _hints(kind, model))


def _hints(kind: str, model: Path) -> Hints:
    exported = torch_export.examples(model) if kind == "torch-export" else {}
    contracted = onnx_file.contracted_sizes(model) if kind == "onnx" else ()
    return Hints(exported, contracted)


def _arguments(kind: str, model: Path) -> tuple[TensorSpec, ...]:
    """The tensors that TorchScript's ``forward`` takes, in the shapes it was traced with or in none."""
    if kind != "torchscript":
        return (TensorSpec("input", "float32", (1,)),)
    tensors = [one for one in torchscript.arguments(model) if one.type == "Tensor"]
    found = tuple(TensorSpec(one.name, one.dtype or "float32", one.shape or (1,)) for one in tensors)
    return found or (TensorSpec("input", "float32", (1,)),)


def _check_dtype(model: Path, spec: TensorSpec) -> None:
    from bench.contract.grammar import DTYPES

    if spec.dtype not in DTYPES:
        raise ContractError(
            f"{model}: `{spec.name}` is {spec.dtype}, which cannot be measured; the dtypes are {', '.join(DTYPES)}"
        )


def _safe_names(specs: Iterable[TensorSpec]) -> dict[str, str]:
    """Names of dimensions that a contract cannot hold -> names that it can."""
    names = {size for spec in specs for size in spec.shape if isinstance(size, str)}
    bad = sorted(name for name in names if not _DIMENSION.fullmatch(name) or name != name.strip())
    return {name: f"dim_{index}_{re.sub(r'[^A-Za-z0-9_:]', '_', name)[:80]}" for index, name in enumerate(bad)}
