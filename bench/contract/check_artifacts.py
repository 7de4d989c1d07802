"""Each artifact against what the contract says of it: the same model."""

from __future__ import annotations

from collections.abc import Sequence

from bench.artifacts import ArtifactFacts
from bench.contract import check_words
from bench.contract.check_files import facts_of
from bench.contract.findings import Findings
from bench.contract.model import Artifact, Contract
from bench.contract.problems import Problems, meant, quoted
from bench.contract.rules import spelled
from bench.device.adapter import UNTOLD, TensorSpec

POSITIONAL = ("torch-export", "torchscript")
"""Kinds whose tensors are told apart by position: their exporters make the names up."""
PARAMETER_TOLERANCE = 0.1
"""How far, relatively, an artifact may be off where another tells the number: exporters leave out what is not used."""


def check(contract: Contract, findings: Findings) -> tuple[Artifact, ...]:
    """Note all that is wrong with the artifacts; those that are whole and were read."""
    read_facts = [(artifact, facts_of(contract, artifact, findings)) for artifact in contract.artifacts]
    known = [(artifact, facts) for artifact, facts in read_facts if facts is not None]
    for artifact, facts in known:
        _tensors(contract, artifact, facts, findings)
        check_words.check(contract, artifact, facts, findings)
    _parameters(contract, known, findings)
    return tuple(artifact for artifact, _ in known)


def _tensors(contract: Contract, artifact: Artifact, facts: ArtifactFacts, findings: Findings) -> None:
    sides = (
        ("input", [one.spec for one in contract.inputs], facts.inputs),
        ("output", list(contract.outputs), facts.outputs),
    )
    for what, declared, found in sides:
        if found is None:
            continue
        whole = not contract.hides(f"{what}s")
        if artifact.kind in POSITIONAL and not whole:
            continue
        if artifact.kind in POSITIONAL:
            pairs = list(zip(declared, found, strict=False))
            _counts(contract, what, declared, found, artifact.kind, findings)
        else:
            by_name = {spec.name: spec for spec in found}
            pairs = [(spec, by_name[spec.name]) for spec in declared if spec.name in by_name]
            _names(contract, what, declared, found, artifact.kind, findings)
        for spec, own in pairs:
            _same(contract, what, spec, own, artifact.kind, findings.problems)


def _counts(
    contract: Contract, what: str, declared: Sequence[TensorSpec], found: Sequence[TensorSpec], kind: str, to: Findings
) -> None:
    if len(declared) > len(found) or (what == "input" and len(declared) < len(found)):
        message = f"the {kind} artifact has {len(found)} {what}s, the contract {len(declared)}"
        to.problems.add(contract.place(f"{what}s"), f"{message}: write one for each, in the artifact's order")


def _names(
    contract: Contract, what: str, declared: Sequence[TensorSpec], found: Sequence[TensorSpec], kind: str, to: Findings
) -> None:
    own, said = [spec.name for spec in found], [spec.name for spec in declared]
    for name in said:
        if name not in own:
            message = f"the {kind} artifact has no {what} {quoted(name)}: {meant(name, own)}"
            to.problems.add(contract.place(f"{what}s", name), message)
    for spec in found:
        if spec.name in said or contract.hides(f"{what}s"):
            continue
        if what == "input":
            message = f"the {kind} artifact has an input {quoted(spec.name)}, {spelled(spec)}: the contract must say it"
            to.problems.add(contract.place("inputs"), message)
        else:
            to.notice(
                f"the {kind} artifact has an output `{spec.name}` that the contract does not name",
                contract.place("outputs"),
            )


def _same(contract: Contract, what: str, spec: TensorSpec, own: TensorSpec, kind: str, problems: Problems) -> None:
    """One tensor's dtype, rank and fixed sizes. A dimension that the artifact leaves free takes any size or name."""
    place, head = contract.place(f"{what}s", spec.name), f"{what} {quoted(spec.name)}"
    if spec.dtype != own.dtype:
        problems.add(place, f"{head} is {own.dtype} in the {kind} artifact, {spec.dtype} here: write what is true")
        return
    if own.shape == UNTOLD:
        return
    sizes = zip(spec.shape, own.shape, strict=False)
    if len(spec.shape) != len(own.shape):
        said = f"{len(spec.shape)} dimensions here, {len(own.shape)} in the {kind} artifact"
        problems.add(place, f"{head} has {said}: {spelled(own)}")
        return
    for axis, (said_size, true_size) in enumerate(sizes):
        value = contract.dims.get(str(said_size), said_size)
        if isinstance(value, str) and (value != contract.batch_dim or contract.hides("batch")):
            continue  # what an output leaves open may have any size, and what an input does is a problem already
        if isinstance(true_size, int) and value != true_size:
            is_said = f"{said_size} here" if isinstance(said_size, int) else f"{quoted(str(said_size))} here"
            message = f"dimension {axis} of {head} is {is_said}, and fixed at {true_size} in the {kind} artifact"
            problems.add(place, f"{message}: {spelled(own)}")


def _parameters(contract: Contract, known: Sequence[tuple[Artifact, ArtifactFacts]], findings: Findings) -> None:
    counted = {artifact.kind: facts.parameters for artifact, facts in known if facts.parameters is not None}
    said = contract.parameters
    if said is None:
        for kind, count in counted.items():
            has = f"has {count}" if count.exact else f"stores {count.likely} weights"
            message = f"the contract does not say its number of parameters; the {kind} artifact {has}"
            findings.notice(message, contract.place("model"))
        return
    unread = contract.hides("artifacts") or len(known) < len(contract.artifacts)  # one of these may have it exactly
    exact = unread or any(count.exact and said in count for count in counted.values())
    for kind, count in counted.items():
        near = exact and abs(count.likely - said) <= PARAMETER_TOLERANCE * said
        place = contract.place("model", "parameters")
        if said in count or near:
            if count.likely != said:
                message = f"the {kind} artifact stores {count.likely} weights, the contract says {said} parameters"
                findings.notice(f"{message}: exporters fold some away and add others", place)
            continue
        has = f"has {count} parameters" if count.exact else f"is of a model with {count} parameters"
        message = f"the {kind} artifact {has}, the contract says {said}"
        findings.problems.add(place, f"{message}: write the number it has, or hand over the right file")
