"""The files that a contract stands for: what a report must not be written over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench import artifacts, metrics
from bench.contract.model import Contract
from bench.contract.targets import places_to_look


def files_of(contract: Contract, targets: Path | None) -> set[Path]:
    """The contract, the targets file, artifacts with all that belongs to them, arrays and the user's own code."""
    validation = contract.validation
    arrays = (validation.samples, validation.labels, validation.predictions)
    return {
        contract.path,
        *([targets] if targets else places_to_look(contract.folder)),
        *(path for path in arrays if path is not None),
        *_models(contract),
        *_code(contract),
    }


def _models(contract: Contract) -> Iterator[Path]:
    for artifact in contract.artifacts:
        yield artifact.path
        yield from (path for path, _ in artifact.companions)
        with suppress(artifacts.ArtifactError, OSError):  # `check` says what is wrong with it
            yield from artifacts.companions_of(artifact.kind, artifact.path) if artifact.kind in artifacts.KINDS else ()


def _code(contract: Contract) -> Iterator[Path]:
    asked = (requirement.metric for target in contract.targets for requirement in target.limits.requirements)
    entries = [entry for entry in asked if metrics.is_user_metric(entry)]
    for entry in [*entries, *([contract.factory.entry] if contract.factory else [])]:
        module = contract.folder.joinpath(*entry.split(":")[0].split("."))
        yield from (module.with_suffix(".py"), module / "__init__.py")
