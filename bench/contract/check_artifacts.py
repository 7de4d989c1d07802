"""Each artifact against what the contract says of it: there, the same file, the same model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bench.artifacts import KINDS, ArtifactError, ArtifactFacts, companions_of, read
from bench.contract.findings import Findings
from bench.contract.model import Artifact, Contract, Place
from bench.contract.paths import exists
from bench.contract.problems import Problems, meant, quoted
from bench.contract.rules import spelled
from bench.device.adapter import TensorSpec

POSITIONAL = ("torch-export", "torchscript")
"""Kinds whose tensors are told apart by position: their exporters make the names up."""
CONVERTERS = ("openvino", "onnx", "onnxruntime", "onnxscript", "onnxsim", "onnx-simplifier", "onnx.quantize")
"""Producers that only rewrote a model: they say nothing of the framework it was made with."""
FRAMEWORKS = {"torch": "pytorch", "tf2onnx": "tensorflow", "skl2onnx": "scikit-learn", "sklearn": "scikit-learn"}
"""Other names of frameworks, and what their exporters call themselves."""
PARAMETER_TOLERANCE = 0.1
"""How far, relatively, an artifact's count may be off where another's is exact: exporters fold batch norms away."""


def check(contract: Contract, findings: Findings) -> None:
    """Note all that is wrong with the artifacts."""
    read_facts = [(artifact, _facts(contract, artifact, findings)) for artifact in contract.artifacts]
    known = [(artifact, facts) for artifact, facts in read_facts if facts is not None]
    for artifact, facts in known:
        _tensors(contract, artifact, facts, findings)
        _producer(contract, artifact, facts, findings)
    _parameters(contract, known, findings)


def _facts(contract: Contract, artifact: Artifact, findings: Findings) -> ArtifactFacts | None:
    """What the artifact says of itself; None, with what is wrong noted, where it is not what it should be."""
    whole = [_file(contract, artifact.path, artifact.sha256, artifact.place, findings)]
    for index, (path, sha256) in enumerate(artifact.companions):
        place = contract.place("artifacts", artifact.kind, "files", str(index))
        whole.append(_file(contract, path, sha256, place, findings))
    if not all(whole):
        return None
    if artifact.kind not in KINDS:
        findings.notice(f"`{artifact.kind}` artifacts are not read here: what the contract says of it is not compared")
        return None
    try:
        facts = read(artifact.kind, artifact.path, tuple(path for path, _ in artifact.companions))
        needed = companions_of(artifact.kind, artifact.path)
    except ArtifactError as error:
        findings.problems.add(artifact.place, _without_folder(str(error), contract.folder))
        return None
    listed = {path.resolve() for path, _ in artifact.companions}
    for file in needed:
        if file.resolve() not in listed:
            owner = artifact.path.name
            findings.notice(f"{file.name} belongs to {owner} and has no sha256 in the contract: list it under `files`")
    return facts


def _without_folder(message: str, folder: Path) -> str:
    return message.replace(f"{folder}/", "", 1)


def _file(contract: Contract, path: Path, sha256: str | None, place: Place, findings: Findings) -> bool:
    if not exists(path, contract.folder, place, findings.problems):
        return False
    name = path.relative_to(contract.folder) if path.is_relative_to(contract.folder) else path
    try:
        found = _sha256(path)
    except OSError as error:
        findings.problems.add(place, f"{quoted(str(name))}: cannot be read: {error.strerror or error}")
        return False
    if sha256 is None:
        findings.notice(f"{name} has no sha256 in the contract: add `sha256: {found}`")
    elif found != sha256:
        message = f"{quoted(str(name))} is not the file that was handed over: its SHA-256 is {found}"
        findings.problems.add(place, f"{message}, the contract says {sha256}")
        return False
    return True


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _tensors(contract: Contract, artifact: Artifact, facts: ArtifactFacts, findings: Findings) -> None:
    sides = (
        ("input", [one.spec for one in contract.inputs], facts.inputs),
        ("output", list(contract.outputs), facts.outputs),
    )
    for what, declared, found in sides:
        if found is None:
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
        if spec.name in said:
            continue
        if what == "input":
            message = f"the {kind} artifact has an input {quoted(spec.name)}, {spelled(spec)}: the contract must say it"
            to.problems.add(contract.place("inputs"), message)
        else:
            to.notice(f"the {kind} artifact has an output `{spec.name}` that the contract does not name")


def _same(contract: Contract, what: str, spec: TensorSpec, own: TensorSpec, kind: str, problems: Problems) -> None:
    """One tensor's dtype, rank and fixed sizes. A dimension that the artifact leaves free takes any size or name."""
    place, head = contract.place(f"{what}s", spec.name), f"{what} {quoted(spec.name)}"
    if spec.dtype != own.dtype:
        problems.add(place, f"{head} is {own.dtype} in the {kind} artifact, {spec.dtype} here: write what is true")
        return
    sizes = zip(spec.shape, own.shape, strict=False)
    if len(spec.shape) != len(own.shape):
        said = f"{len(spec.shape)} dimensions here, {len(own.shape)} in the {kind} artifact"
        problems.add(place, f"{head} has {said}: {spelled(own)}")
        return
    for axis, (said_size, true_size) in enumerate(sizes):
        value = contract.dims.get(str(said_size), said_size)
        if isinstance(true_size, int) and value != true_size and not _unknown_output(what, said_size, contract):
            is_said = f"{said_size} here" if isinstance(said_size, int) else f"{quoted(str(said_size))} here"
            message = f"dimension {axis} of {head} is {is_said}, and fixed at {true_size} in the {kind} artifact"
            problems.add(place, f"{message}: {spelled(own)}")


def _unknown_output(what: str, size: int | str, contract: Contract) -> bool:
    """Whether it is an output's free dimension of which the contract says nothing: it may have any size."""
    named = {part for one in contract.inputs for part in one.spec.shape}
    return what == "output" and isinstance(size, str) and size not in contract.dims and size not in named


def _producer(contract: Contract, artifact: Artifact, facts: ArtifactFacts, findings: Findings) -> None:
    if contract.framework is None or facts.producer is None or facts.producer.lower() in CONVERTERS:
        return
    said, made = _framework(contract.framework), _framework(facts.producer)
    version = f" {facts.producer_version}" if facts.producer_version else ""
    made_by = f"the {artifact.kind} artifact was made by {facts.producer}{version}"
    if said != made:
        findings.notice(f"{made_by}, the contract says {contract.framework}")
    elif _is_other_release(contract.framework_version, facts, said):
        findings.notice(f"{made_by}, the contract says {contract.framework_version}")


def _is_other_release(said: str | None, facts: ArtifactFacts, framework: str) -> bool:
    """Whether framework and artifact tell different versions; an exporter's own version is not the framework's."""
    if said is None or facts.producer_version is None or (facts.producer or "").lower() not in (framework, "torch"):
        return False
    return _release(said) != _release(facts.producer_version)


def _framework(name: str) -> str:
    return FRAMEWORKS.get(name.lower(), name.lower())


def _release(version: str) -> str:
    """The version without its build: ``2.13.0+cpu`` is 2.13.0."""
    return version.split("+", 1)[0].strip()


def _parameters(contract: Contract, known: Sequence[tuple[Artifact, ArtifactFacts]], findings: Findings) -> None:
    counted = {artifact.kind: facts.parameters for artifact, facts in known if facts.parameters is not None}
    said = contract.parameters
    if said is None:
        for kind, count in counted.items():
            findings.notice(f"the contract does not say its number of parameters; the {kind} artifact has {count}")
        return
    exact = said in counted.values()
    for kind, count in counted.items():
        near = exact and abs(count - said) <= PARAMETER_TOLERANCE * said
        message = f"the {kind} artifact has {count} parameters, the contract says {said}"
        if count != said and near:
            findings.notice(f"{message}: exporters fold some away")
        elif count != said:
            place = contract.place("model", "parameters")
            findings.problems.add(place, f"{message}: write the number it has, or hand over the right file")
