"""What made the model: its framework where the artifact tells it, and the program that wrote the artifact."""

from __future__ import annotations

from dataclasses import dataclass

from bench.artifacts import ArtifactFacts
from bench.contract.check_words import framework_of
from bench.contract.grammar import FRAMEWORK, FRAMEWORK_VERSION
from bench.contract.model import Place
from bench.contract.nodes import Scalar
from bench.contract.problems import Problems, quoted
from bench.contract.tables import Field


@dataclass(frozen=True)
class Origin:
    """Each None where the artifact does not tell it, or where a contract cannot hold it; then a remark says so."""

    framework: str | None
    release: str | None
    writer: str | None
    """``tf2onnx 1.16.1``, where the framework and its release do not say the same already."""
    remarks: tuple[str, ...] = ()


def origin_of(facts: ArtifactFacts) -> Origin:
    """Of the words that the artifact's maker wrote into it, which are as they like."""
    framework, release = framework_of(facts)
    remarks = []
    if framework is not None and not _holds(FRAMEWORK, framework):
        remarks.append(_left_out(FRAMEWORK, framework))
        framework = None
    if release is not None and not _holds(FRAMEWORK_VERSION, release):
        remarks.append(_left_out(FRAMEWORK_VERSION, release))
        release = None
    if framework is None:
        release = None
    writer = " ".join(filter(None, (facts.producer, facts.producer_version)))
    same = (facts.producer or "").lower() == framework and facts.producer_version == release
    return Origin(framework, release, writer if writer and not same else None, tuple(remarks))


def _holds(field: Field[str], text: str) -> bool:
    """Whether a contract can hold that text there."""
    return field.kind.read(Scalar(Place("-", 1, 1), text, plain=False), field.name, Problems()) is not None


def _left_out(field: Field[str], text: str) -> str:
    return f"`{field.name}` is left out: the artifact tells {quoted(text)}, which no contract can hold"
