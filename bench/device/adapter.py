"""What an adapter owes the harness, and what the harness hands to an adapter.

An adapter is a class with no arguments, named by an entry point of the group ``benchpact.backends``.
Its module must import without its framework: the framework is imported inside ``probe`` and ``open``.
The harness owns the clock, the warm-up, the repetition and the percentiles; an adapter owns none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Protocol, Sequence, Tuple, Type, Union

import numpy as np

from .declared import Declared
from .declared import Option as Option

Arrays = Dict[str, "np.ndarray[Any, Any]"]
"""Tensor name -> array; the first axis is the batch wherever the tensor has one."""

STATES = ("safetensors", "state-dict")
"""Kinds of artifact that are only the state of a module which the user's code builds."""

UNTOLD = ("...",)
"""In place of a shape: nothing tells it, it may have any rank. No contract says it, an artifact or a trial may."""

CHOICE, EAGER = "artifact", "eager"
"""The option by which a target chooses among an adapter's kinds of artifact; ``eager`` is the user's own module."""

Staged = Any
"""What a session's ``stage`` made of a query; opaque to the harness."""
Outputs = Any
"""What a session's ``run`` returned; opaque to the harness, turned to numpy by ``read``."""


class AdapterError(Exception):
    """An adapter cannot do what it was asked; the message is the framework's own reason."""


class DeviceUnavailable(AdapterError):
    """The framework or the device that was asked for cannot be used on this machine."""


class ModelRejected(AdapterError):
    """The framework does not take this model; the message quotes the framework."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of the model.

    ``shape`` holds integers for fixed dimensions and names for symbolic ones. ``dtype`` is a numpy
    name (``float32``, ``int64``, ``float16``, ``bool`` …).
    """

    name: str
    dtype: str
    shape: Tuple[Union[int, str], ...]


@dataclass(frozen=True)
class ModelFiles:
    """One version of a model: its artifacts by kind, and what goes in and comes out.

    ``artifacts`` maps a kind (``onnx``, ``torchscript``, ``torch-export``, ``openvino``,
    ``safetensors``, ``state-dict``, ``tflite``) to a file. ``factory`` is ``module:function`` for models built by
    user code, whose module is looked for in ``code_dir`` first. ``state`` maps an input to the output that feeds it in
    the next query. ``dims`` gives the symbolic dimensions their values.
    """

    artifacts: Mapping[str, Path]
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    state: Mapping[str, str] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    factory: Optional[str] = None
    code_dir: Optional[Path] = None


@dataclass(frozen=True)
class Settings:
    """How the model is to be run. Nothing here is ever left to a framework's hidden default.

    ``precision`` is the arithmetic asked for (``fp32``, ``tf32``, ``bf16``, ``fp16`` …). ``residency`` says where
    inputs live when the clock starts (``host`` or ``device``). ``scenario`` lets a backend prepare for
    overlapped work (its own streams in ``offline``). ``extra`` holds the options that only this
    backend knows; the adapter's ``options`` names them.
    """

    device: str = "cpu"
    threads: int = 1
    precision: str = "fp32"
    residency: str = "host"
    scenario: str = "single-stream"
    extra: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """What one timed call gets: ``samples`` items along the batch axis of each array.

    State inputs are not in ``arrays``: the session keeps them.
    """

    arrays: Arrays
    samples: int = 1


@dataclass(frozen=True)
class Availability:
    """Whether a backend works here. ``remedy`` is one command or sentence that would mend it."""

    usable: bool
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: Tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""


class Session(Protocol):
    """An opened model. A context manager: leaving it frees what ``open`` took.

    A session with state (``ModelFiles.state``) also has ``advance(outputs) -> None``, which moves the
    state on between queries, and ``reset() -> None``, which starts a sequence (zeros); the harness
    calls both outside the clock. A session that can overlap work may have
    ``run_all(staged: Sequence[Staged]) -> None``: it issues all queries and returns when every result
    is usable; the offline scenario times it as one.

    A session on a device with a clock of its own may have ``device_times(staged: Staged) -> Mapping[str, int]``: it
    runs one query, untimed, and gives ns by name: ``gpu compute`` from the device's first kernel to its last,
    ``enqueue`` for which the host was busy handing it over, ``host to device`` and ``device to host`` for copies. What
    the CPU computes belongs in none of them, and on device ``cpu`` it is never asked.

    A session that ``Adapter.profiled`` opened has ``profile(staged: Sequence[Staged]) -> operators.Profiled``: it runs
    each of the queries once and tells what its operators took.
    """

    def stage(self, query: Query) -> Staged:
        """Untimed: check names, dtypes and shapes, lay out, move to the device if residency says so."""

    def run(self, staged: Staged) -> Outputs:
        """The only thing timed: returns when the result is usable. Outputs hold until the next run."""

    def read(self, outputs: Outputs) -> Arrays:
        """Untimed: outputs as fresh numpy arrays (copies), by output name; state outputs included."""

    def facts(self) -> Mapping[str, object]:
        """What really runs, JSON-ready: at least ``device``, ``precision``, ``threads``, ``artifact``.

        The first three must be what the settings ask for, or nothing is measured (``told``). ``computes`` is
        False where the outputs are made up: nothing is then judged by them. ``notes`` may hold a list of sentences
        that a reader of the report must know, like a part that runs elsewhere. On a GPU ``gpu`` is an object with
        its ``name`` and ``uuid`` as the driver tells them; ``gpu memory by its own account`` may be what the
        framework took of it at most, in bytes. It is asked after opening and again after the timed part: what fell
        back meanwhile was not measured. Facts that the harness finds (``records.HARNESS_FACTS``) are not the session's.
        """

    def __enter__(self) -> "Session": ...

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None: ...


class Adapter(Protocol):
    """One framework family.

    ``artifact_kinds`` are the kinds of artifact it takes, the best first. ``options`` names the
    ``Settings.extra`` keys it knows, each with what it takes (``declared``), or with one line of help.
    ``packages`` are the distributions whose versions matter. ``concurrent_runs`` says whether one
    session may serve several threads at once: each stages its own queries and runs only those, and
    their outputs hold until that thread's next run.

    By three more, which an adapter may leave out, ``check`` tells beforehand what ``open`` would refuse:
    ``devices`` and ``precisions``, the words it takes on any machine, and ``conflict(model, settings)``,
    which gives the option or the setting that does not go with the others or with the model's files, and
    why (a pair), or None. It imports no framework; ``model`` has only such artifacts as are whole.

    ``code_kinds``, which an adapter may leave out, are those of its kinds of artifact whose loading may run what is in
    the file: they are taken only with a SHA-256 in the contract.

    ``profiled(model, settings)``, which an adapter may leave out, opens the model as ``open`` does, but with the
    framework's profiler on: for ``benchpact profile``, never for a measurement.

    Two more are for an adapter that runs programs of the user's own. ``code_options`` names the options that say
    which: they run only with --allow-code, from the contract's folder (``code_dir``). ``processes()`` gives the
    ids of those that run: what they hold and use counts as the model's.
    """

    artifact_kinds: Tuple[str, ...]
    packages: Tuple[str, ...]
    concurrent_runs: bool

    @property
    def options(self) -> Mapping[str, Declared]: ...

    def probe(self) -> Availability:
        """Never raises: versions and devices, or the reason why not and what would mend it."""

    def open(self, model: ModelFiles, settings: Settings) -> Session:
        """Load the model. Raises ModelRejected or DeviceUnavailable with the framework's own words."""


def choose_artifact(model: ModelFiles, kinds: Sequence[str]) -> Tuple[str, Path]:
    """The first of ``kinds`` that the model has, with its file; ModelRejected if it has none."""
    for kind in kinds:
        if kind in model.artifacts:
            return kind, model.artifacts[kind]
    raise ModelRejected(
        "this backend takes %s; the contract has %s"
        % (" or ".join(kinds), ", ".join(sorted(model.artifacts)) or "no artifact")
    )
