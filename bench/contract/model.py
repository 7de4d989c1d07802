"""A contract as the rest of the program sees it: frozen, checked, in base units, with its positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.contract.faults import Faults
from bench.device.adapter import TensorSpec
from bench.device.declared import Option
from bench.device.outputs import carried
from bench.metrics import Direction, Unit
from bench.stats.sequential import ERROR_RATE, fewest


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
class Trace:
    """A recorded trace of arrivals: its file, and what was read of it when the contract was."""

    path: Path
    place: Place
    sha256: str = ""
    """Of the arrivals, each as a little-endian int64 of nanoseconds."""
    count: int = 0
    length_ns: int = 0


@dataclass(frozen=True)
class ScenarioSettings:
    """How a scenario is to be run; a limit block's words that are no metrics. Durations in ns."""

    scenario: str
    batch: int = 1
    """Samples a query; 0 asks for the best batch size to be found (``batch: best``)."""
    processes: int = 3
    """Fresh processes; the most of them where ``adaptive``."""
    least_processes: int | None = None
    """The fewest, where what is seen decides how many there are; None: exactly ``processes``."""
    by_default: bool = False
    """Whether the contract left it to us how many there are, and how sure of the answer."""
    error_rate: float = ERROR_RATE
    """Of each wrong answer in an adaptive case."""
    indifference: float = 0.0
    """The zone to either side of each limit in which either answer is right, as a share of the limit; 0: none."""
    pooled: bool = False
    """Whether an adaptive case promises percentiles of the pool of all calls, not the typical process's."""
    counts_calls: bool = False
    """Whether an adaptive case promises percentiles of each call, as far as calls are independent."""
    min_ns: int = 200_000_000
    max_ns: int = 2_000_000_000
    max_queries: int = 10_000_000
    calls_per_timing: int = 0
    """Single- and multi-stream: queries that one timing is the mean of; 0: as many as the clock asks for."""
    rate_per_s: float = 0.0
    """Server: queries that arrive in a second; 0 in other scenarios."""
    arrivals: str = "poisson"
    """Server: ``poisson``, ``constant``, ``bursts of 8``, or ``trace``."""
    search_ns: int = 0
    """Server: how long a process searches for the highest rates that keep a percentile; 0 where none is asked for."""
    min_search_ns: int = 0
    """Server: how long at least; so long where queries are quick, and ``search_ns`` where they are slow."""
    trace: Trace | None = None
    """Server: the recorded arrivals that are played; ``rate_per_s`` is then theirs."""
    workers: int = 1
    """Server: threads that answer queries."""
    max_batch: int = 1
    """Server: most queries that are answered together; they wait for each other for at most ``max_wait_ns``."""
    max_wait_ns: int = 0
    queue: int = 0
    """Server: most queries that wait, others are dropped; 0: any number."""
    timeout_ns: int = 0
    """Server: answers later than this are counted; 0: none is."""
    preset: str | None = None
    """Whose rules hold where the contract says nothing else: ``mlperf``, or nobody's."""
    must_samples: int = 0
    """The fewest samples of a process, if need be for as long again as ``max_ns``; 0: whatever comes of the time."""
    leave_out_disturbed: bool = False
    """Whether verdicts are of the undisturbed blocks alone; never in a server scenario, whose queue goes on."""

    @property
    def serves(self) -> bool:
        """Whether queries arrive at a rate that the contract says, in the server scenario."""
        return self.rate_per_s > 0 or self.trace is not None

    @property
    def process_ns(self) -> int:
        """The longest that one process measures."""
        only_searches = self.scenario == "server" and not self.serves
        return max(1, self.search_ns + (0 if only_searches else self.max_ns))

    @property
    def adaptive(self) -> bool:
        """Whether fresh processes are started until the requirements are decided."""
        return self.least_processes is not None

    @property
    def expected_processes(self) -> int:
        """As many as time is planned for: where it is adaptive, those that decide if all of them agree."""
        if self.least_processes is None:
            return self.processes
        return min(self.processes, max(self.least_processes, fewest(self.error_rate)))


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
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where its settings stand, those that were written."""
    host: str | None = None
    """Another machine, as ``ssh`` names it; None: this one."""
    cores: tuple[int, ...] = ()
    """The cores its process may run on, ascending; empty: any."""
    python: str | None = None
    """The path of the host's interpreter; None: what was prepared there."""


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
    faults: Faults = field(default_factory=Faults)
    """What could not be read and is therefore missing here; ``load`` gives no contract that has any."""

    @property
    def folder(self) -> Path:
        """The folder all paths of the contract are relative to, and may not leave."""
        return self.path.resolve().parent

    @property
    def answers(self) -> tuple[TensorSpec, ...]:
        """The outputs that can be compared with labels and predictions: all that do not only carry state on."""
        silent = carried([spec.name for spec in self.outputs], self.state)
        return tuple(spec for spec in self.outputs if spec.name not in silent)

    def place(self, *keys: str) -> Place:
        """Where a value stands, or what it would stand in; the file's beginning where nothing is known."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return self.places.get(keys, Place(str(self.path), 1, 1))

    def hides(self, *keys: str) -> bool:
        """Whether what stands here, or should, may be at fault: then nothing follows from what the contract lacks."""
        heads = [keys[:size] for size in range(len(keys))]
        return self.faults.within(*keys) or any(
            head in self.faults.paths or (head in self.faults.strange and (*head, key) not in self.places)
            for head, key in zip(heads, keys, strict=True)
        )

    @property
    def is_sized(self) -> bool:
        """Whether all that the inputs' sizes follow from was read and fits together."""
        parts = ("inputs", "dims", "batch", "state")
        return not (self.faults.unsized or any(self.hides(part) for part in parts))

    @property
    def tells_outputs(self) -> bool:
        """Whether all is known of the outputs too, and which of them the labels are about."""
        return self.is_sized and not (self.hides("outputs") or self.hides("validation", "output"))
