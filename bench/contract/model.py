"""A contract as the rest of the program sees it: frozen, checked, in base units, with its positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.device.adapter import Option, TensorSpec
from bench.metrics import Direction, Unit


@dataclass(frozen=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what would be right."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True)
class Artifact:
    """One file of the model. ``sha256`` is lower-case hex; ``path`` lies inside the contract's folder."""

    kind: str
    path: Path
    sha256: str | None
    place: Place
    companions: tuple[tuple[Path, str | None], ...] = ()
    """Further files that belong to it (OpenVINO's ``.bin``, ONNX external data), with their SHA-256."""


@dataclass(frozen=True)
class Input:
    """One input: its spec, and the range generated values are drawn from where there are no samples."""

    spec: TensorSpec
    low: float
    high: float


@dataclass(frozen=True)
class Requirement:
    """One line of a contract: ``block metric direction limit``, the limit in the metric's base unit."""

    block: str
    metric: str
    unit: Unit
    direction: Direction
    limit: float
    text: str
    """The limit as the user wrote it."""
    place: Place

    @property
    def id(self) -> str:
        """Its name for ``--only`` and reports: ``single-stream latency p99``."""
        return f"{self.block} {self.metric}" if self.block else self.metric


@dataclass(frozen=True)
class ScenarioSettings:
    """How a scenario is to be run; a limit block's words that are no metrics. Durations in ns."""

    scenario: str
    batch: int = 1
    """Samples a query; 0 asks for the best batch size to be found (``batch: best``)."""
    processes: int = 3
    min_ns: int = 200_000_000
    max_ns: int = 2_000_000_000
    max_queries: int = 10_000_000
    rate_per_s: float = 0.0
    """Server: queries that arrive in a second; 0 in other scenarios."""
    arrivals: str = "poisson"
    """Server: ``poisson`` or ``constant``."""


@dataclass(frozen=True)
class Limits:
    """What is required, and the scenarios that must run for it."""

    requirements: tuple[Requirement, ...] = ()
    scenarios: tuple[ScenarioSettings, ...] = ()


@dataclass(frozen=True)
class Target:
    """A named place to run: backend, device, options. ``limits`` are already merged with the common ones."""

    name: str
    backend: str
    device: str
    threads: int
    precision: str
    residency: str
    options: Mapping[str, Option]
    defaults: tuple[str, ...]
    """Which of device, threads, precision, residency the user left to us; the report names them."""
    limits: Limits
    place: Place
    option_places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """The files of the validation set; each may be missing."""

    samples: Path | None = None
    labels: Path | None = None
    predictions: Path | None = None
    output: str | None = None
    """Which output the labels and accuracy metrics are about; the first one where None."""


@dataclass(frozen=True)
class Factory:
    """An eager module built by the user's code: ``module:function``; its state is an artifact of ``STATES``."""

    entry: str
    place: Place


@dataclass(frozen=True)
class Contract:
    """Everything the data scientist handed over, checked."""

    path: Path
    name: str
    version: str
    framework: str | None
    framework_version: str | None
    parameters: int | None
    artifacts: tuple[Artifact, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[TensorSpec, ...]
    dims: Mapping[str, int]
    """Values of the symbolic dimensions."""
    batch_dim: str | None
    """The symbolic dimension that counts samples; None for a model whose batch size is fixed."""
    state: Mapping[str, str]
    validation: Validation
    targets: tuple[Target, ...]
    factory: Factory | None = None
    notices: tuple[str, ...] = field(default=())
    """What a reader should know though nothing is wrong: a framework version unlike the artifact's …"""
    places: Mapping[tuple[str, ...], Place] = field(default_factory=dict)
    """Where each value stands: ``("model", "parameters")``, ``("inputs", "image")``, ``("validation", "labels")`` …"""

    @property
    def folder(self) -> Path:
        """The folder all paths of the contract are relative to, and may not leave."""
        return self.path.resolve().parent

    def place(self, *keys: str) -> Place:
        """Where a value stands, or what it would stand in; the file's beginning where nothing is known."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return self.places.get(keys, Place(str(self.path), 1, 1))
