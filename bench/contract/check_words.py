"""What the contract says of the model's name, version and framework, against the artifact's own words.

A difference is a notice and no problem: exporters and people fill these words in as they like.
"""

from __future__ import annotations

import re

from bench.artifacts import ArtifactFacts
from bench.contract.findings import Findings
from bench.contract.model import Artifact, Contract

CONVERTERS = ("openvino", "onnx", "onnxruntime", "onnxscript", "spox", "onnxsim", "onnx-simplifier", "onnx.quantize")
"""Producers that only rewrote a model: they say nothing of the framework it was made with."""
FRAMEWORKS = {"torch": "pytorch", "tf2onnx": "tensorflow", "skl2onnx": "scikit-learn", "sklearn": "scikit-learn"}
"""Other names of frameworks, and what their exporters call themselves."""


def check(contract: Contract, artifact: Artifact, facts: ArtifactFacts, findings: Findings) -> None:
    """Note each word of the contract that the artifact says otherwise."""
    told, says = facts.told, f"the {artifact.kind} artifact says that"
    if told.name is not None and contract.name and _plain(told.name) != _plain(contract.name):
        message = f"{says} the model is `{told.name}`, the contract says `{contract.name}`"
        findings.notice(message, contract.place("model", "name"))
    version = _other_version(contract.version, facts)
    if version is not None and contract.version:
        message = f"{says} the model's version is {version}, the contract says {contract.version}"
        findings.notice(message, contract.place("model", "version"))
    if contract.framework is None:
        return
    if told.framework is None:
        _producer(contract, artifact, facts, findings)
    if told.framework is not None or told.framework_version is not None:
        _framework_told(contract, told.framework or contract.framework, told.framework_version, says, findings)


def framework_of(facts: ArtifactFacts) -> tuple[str | None, str | None]:
    """The framework that made the model and its version, each as far as the artifact tells it."""
    told, producer = facts.told, (facts.producer or "").lower()
    if told.framework is not None:
        return _framework(told.framework), told.framework_version
    if not producer or producer in CONVERTERS:
        return None, None
    return _framework(producer), None if producer in FRAMEWORKS else facts.producer_version


def _other_version(said: str, facts: ArtifactFacts) -> str | None:
    """The artifact's version where it is another; a whole number stands for all versions that begin with it."""
    told, plain = facts.told, said.lower().removeprefix("v").strip()
    if told.version is not None:
        return told.version if told.version.lower().removeprefix("v") != plain else None
    return str(told.number) if told.number is not None and re.split(r"[.+-]", plain)[0] != str(told.number) else None


def _framework_told(contract: Contract, name: str, version: str | None, says: str, findings: Findings) -> None:
    said, release = contract.framework or "", contract.framework_version
    if _framework(said) != _framework(name):
        message = f"{says} its framework is {name}, the contract says {said}"
        findings.notice(message, contract.place("model", "framework"))
    elif version is not None and release is not None and _release(version) != _release(release):
        message = f"{says} its framework is {name} {version}, the contract says {release}"
        findings.notice(message, contract.place("model", "framework version"))


def _producer(contract: Contract, artifact: Artifact, facts: ArtifactFacts, findings: Findings) -> None:
    if facts.producer is None or facts.producer.lower() in CONVERTERS:
        return
    said, made = _framework(contract.framework or ""), _framework(facts.producer)
    version = f" {facts.producer_version}" if facts.producer_version else ""
    made_by = f"the {artifact.kind} artifact was made by {facts.producer}{version}"
    if said != made:
        findings.notice(f"{made_by}, the contract says {contract.framework}", contract.place("model", "framework"))
    elif _is_other_release(contract.framework_version, facts, said):
        place = contract.place("model", "framework version")
        findings.notice(f"{made_by}, the contract says {contract.framework_version}", place)


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


def _plain(name: str) -> str:
    """A name as it is the same to a human: ``Digits CNN`` is ``digits-cnn``."""
    return re.sub(r"[\s_.-]+", "", name.casefold())
