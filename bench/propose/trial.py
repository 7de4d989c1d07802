"""Running a draft in a fresh worker: whether the model takes it, and what comes out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import registry
from bench.device import records
from bench.device.adapter import Settings
from bench.device.draws import Draws
from bench.device.library import MAX_SAMPLES_BYTES, draw, resolve_shape
from bench.device.records import Job, TensorJob
from bench.device.safe_arrays import read_npz
from bench.doctor.probing import probe
from bench.errors import BenchError
from bench.launch.conversation import Conversation
from bench.launch.local import run_worker
from bench.propose.draft import Draft, InputDraft
from bench.results import Block, Failure, ProcessRun

DEADLINE_S = 60.0
SEED = 20260101
PRECISIONS = ("fp32", "fp16", "bf16", "fp64")
Values = Callable[[InputDraft, Any], Any]


@dataclass
class Heard:
    """A worker's answer: the process run, the shape of each output of its first query, and its timings."""

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    timings: list[np.ndarray[Any, Any]] = field(default_factory=list)
    run: ProcessRun | None = None
    failure: Failure | None = None

    def phase(self, name: str) -> None:
        """Phases are not of interest here."""

    def block(self, block: Block, payload: bytes) -> bool:
        self.timings.append(np.frombuffer(payload, "<u8"))
        return False


class _Conversation(Conversation):
    """Notes the shape of each output's first piece: the whole array would not tell a query's own shape."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(0, 1, heard)
        self._heard = heard

    def hear(self, kind: str, fields: dict[str, Any], payload: bytes) -> None:
        super().hear(kind, fields, payload)
        if kind == records.OUTPUT:
            self._heard.shapes.setdefault(str(fields["name"]), tuple(fields["shape"]))

    def _join_outputs(self) -> None:
        """Only shapes are asked for, and what ``NonZero`` gives cannot be joined: its size is each query's own."""
        self._buffers.clear()


def backend_for(kind: str) -> tuple[str, str]:
    """The usable backend that likes that kind of artifact best, or "" with the reason why there is none.

    Each is probed in a process of its own: none can take this one down.
    """
    names, reasons = _takers(kind)
    for name in names:
        found = probe(name, registry.resolve(name))
        if found.usable:
            return name, ""
        reasons.append(f"{name}: {found.reason}")
    return "", "; ".join(reasons) or f"no backend takes {kind}"


def backends_for(kind: str) -> list[str]:
    """The backends that take that kind of artifact, usable here or not, the best first; of equals our own first."""
    return _takers(kind)[0]


def _takers(kind: str) -> tuple[list[str], list[str]]:
    """Those backends, and why others could not be asked."""
    found, reasons = [], []
    for name in registry.names():
        try:
            kinds = registry.load(name).artifact_kinds
        except BenchError as error:
            reasons.append(str(error))
            continue
        if kind in kinds:
            found.append((kinds.index(kind), not registry.is_own(name), name))
    return [name for _, _, name in sorted(found)], reasons


def job_of(draft: Draft, backend: str, scenario: str = "single-stream", **more: Any) -> Job:
    """The worker's job for a draft; one thread, on the CPU."""
    settings = Settings("cpu", 1, draft.precision, "host", scenario)
    return Job(
        case="init",
        adapter=registry.resolve(backend),
        scenario=scenario,
        artifacts={draft.kind: str(draft.path.resolve())},
        inputs=[tensor_job(one) for one in draft.inputs],
        outputs=[TensorJob(spec.name, spec.dtype, list(spec.shape)) for spec in draft.outputs],
        state=dict(draft.state),
        dims=dict(draft.dims),
        batch_dim=draft.batch,
        settings=asdict(settings),
        samples=more.pop("samples", str(draft.samples.resolve()) if draft.samples else None),
        seed=SEED,
        **more,
    )


def tensor_job(one: InputDraft) -> TensorJob:
    """An input on the wire."""
    return TensorJob(one.spec.name, one.spec.dtype, list(one.spec.shape), one.low, one.high)


def run(job: Job, deadline_s: float = DEADLINE_S) -> Heard:
    """Run the job in a fresh worker; what went wrong is in the answer."""
    heard = Heard()
    conversation = _Conversation(heard)
    try:
        failure = run_worker(job, conversation, deadline_s)
    except BenchError as error:
        failure = Failure(type(error).__name__, str(error))
    heard.run = conversation.process_run(failure, None)
    heard.failure = heard.run.failure
    return heard


def starts(draft: Draft, backend: str) -> Failure | None:
    """Why the model does not answer a first query of one sample, or None: it does."""
    return _run_with(_arrays(draft, 1, SEED), draft, backend, only_start=True).failure


def outputs_of(draft: Draft, backend: str, batch: int, seed: int, values: Values | None = None) -> Heard:
    """The answers to two queries of ``batch`` samples, with what comes out and how it is shaped.

    ``values`` makes other values, of the same shape and dtype, of each input's array.
    """
    arrays = _arrays(draft, 2 * batch, seed)
    if values is not None:
        arrays = {one.spec.name: values(one, arrays[one.spec.name]) for one in draft.fed}
    return _run_with(arrays, draft, backend, only_start=True, collect_outputs=True, batch=batch)


def resized(draft: Draft, backend: str, sizes: Mapping[str, int]) -> Heard:
    """The answer with other sizes of free dimensions: the same values, repeated where there are to be more."""
    arrays = _arrays(draft, 1, SEED)
    for one in draft.fed:
        array = arrays[one.spec.name]
        for axis, name in enumerate(one.spec.shape, start=array.ndim - len(one.spec.shape)):
            if name in sizes:
                array = np.take(array, np.arange(sizes[str(name)]) % array.shape[axis], axis=axis)
        arrays[one.spec.name] = array
    other = replace(draft, dims={**draft.dims, **sizes})
    return _run_with(arrays, other, backend, only_start=True, collect_outputs=True, batch=1)


def _run_with(arrays: Mapping[str, Any], draft: Draft, backend: str, **more: Any) -> Heard:
    """Run with these few samples: drawing or reading all of them would take longer than the model does."""
    with tempfile.TemporaryDirectory(prefix="benchpact-") as folder:
        samples = Path(folder) / "samples.npz"
        np.savez(samples, allow_pickle=False, **arrays)
        return run(job_of(draft, backend, samples=str(samples), **more))


def _arrays(draft: Draft, samples: int, seed: int) -> dict[str, Any]:
    """Arrays of a few samples: the first of the user's, or drawn from the ranges."""
    if draft.samples is not None:
        arrays = read_npz(draft.samples, MAX_SAMPLES_BYTES)
        return {one.spec.name: _first(arrays[one.spec.name], one, draft, samples) for one in draft.fed}
    draws = Draws(seed)
    drawn = {}
    for one in draft.fed:
        job = tensor_job(one)
        shape = resolve_shape(job, draft.dims, draft.batch)
        batched = draft.batch is not None and bool(shape) and one.spec.shape[0] == draft.batch
        stacked = draft.batch is None and bool(shape)
        array = draw(draws, job, (samples, *shape[1:]) if batched else (samples, *shape) if stacked else shape)
        drawn[one.spec.name] = _with_ends(array, one)
    return drawn


def _with_ends(array: Any, one: InputDraft) -> Any:
    """Integers with both ends of their range among them: a few drawn ones may miss what the model refuses."""
    if array.dtype.kind in "iu" and array.size:
        array.flat[-1] = int(one.low)
        array.flat[0] = int(one.high)
    return array


def _first(array: Any, one: InputDraft, draft: Draft, samples: int) -> Any:
    """The first samples of an array, whichever way it holds them."""
    rank = len(one.spec.shape)
    if array.ndim > rank or (rank and one.spec.shape[0] == draft.batch):
        return array[:samples]
    fixed = one.spec.shape[0] if rank else None
    return array[: samples * fixed] if isinstance(fixed, int) else array
