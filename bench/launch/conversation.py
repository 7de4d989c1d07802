"""What the host makes of a worker's records: a process run, its timings and outputs on the way out.

Nothing here knows how the worker was started; the launcher feeds records and says how it ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np

from bench.device import records
from bench.device.arrivals import burst_of
from bench.errors import ProtocolError
from bench.launch.blocks import Blocks
from bench.launch.fields import (
    MAX_LINE_CHARACTERS,
    crew,
    device_times,
    facts,
    finite,
    lines,
    maybe_whole,
    one_of,
    plain,
    profile,
    rising,
    whole,
    wholes,
)
from bench.results import (
    Audit,
    Block,
    Failure,
    Memory,
    Metered,
    Phase,
    ProcessRun,
    Profile,
    RateTrial,
    Searched,
    Seen,
    Serving,
    WarmUp,
)

MAX_OUTPUT_BYTES = 8 << 30
MAX_NOTES = 100
MAX_NOTE_CHARACTERS = 2_000
MAX_ERROR_CHARACTERS = 4_000
TRACE_LINES = 8
PHASES = (*records.PHASES, records.PROFILE)
_PLAIN_NUMBERS = re.compile(r"[<>=|]?[biufc]\d{1,2}")


class Listener(Protocol):
    """Who hears of a process run while it goes on."""

    def phase(self, name: str) -> None:
        """The worker began a phase."""

    def block(self, block: Block, payload: bytes) -> bool:
        """A block's timings (little-endian uint64, ns) have come; True asks the worker to stop."""


@dataclass
class _OutputBuffer:
    """One output array as its pieces come."""

    dtype: np.dtype[Any]
    rows: dict[int, tuple[tuple[int, ...], bytearray]] = field(default_factory=dict)

    def array(self) -> np.ndarray[Any, Any]:
        """All pieces in order, joined along the first axis; ValueError where they are not whole or do not fit."""
        pieces = [np.frombuffer(data, self.dtype).reshape(shape) for _, (shape, data) in sorted(self.rows.items())]
        if pieces[0].ndim == 0 or len({piece.shape[1:] for piece in pieces}) > 1:
            return np.stack(pieces)
        return np.concatenate(pieces)


class Conversation:
    """One process run as told by its worker's records."""

    def __init__(self, index: int, batch: int, listener: Listener) -> None:
        self.index = index
        self.ended = False
        self.wants_stop = False
        self.current_phase: str | None = None
        self.profile: Profile | None = None
        self._listener = listener
        self._batch = batch
        self._phases: list[Phase] = []
        self._blocks = Blocks()
        self._last: Block
        self._fields: dict[str, Any] = {}
        self._notes: list[str] = []
        self._buffers: dict[str, _OutputBuffer] = {}
        self._outputs: dict[str, np.ndarray[Any, Any]] = {}
        self._output_bytes = 0
        self._error: Failure | None = None

    def hear(self, kind: str, fields: dict[str, Any], payload: bytes) -> None:
        """Take one record in; ProtocolError if it does not mean anything."""
        hear = getattr(self, "_hear_" + kind.replace("-", "_"), None)
        if hear is None:
            raise ProtocolError(f"the worker said `{kind[:40]}`, which is not in the protocol")
        try:
            hear(fields, payload)
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise ProtocolError(f"the worker's `{kind}` record is not as it should be: {error!r:.500}") from error
        self._tell(kind, payload)

    def _tell(self, kind: str, payload: bytes) -> None:
        """Let the listener know; what it raises is its own."""
        if kind == records.ENTER and self.current_phase is not None:
            self._listener.phase(self.current_phase)
        elif kind == records.BLOCK:
            self.wants_stop = self._listener.block(self._last, payload) or self.wants_stop

    def process_run(self, failure: Failure | None, timings: tuple[str, int] | None) -> ProcessRun:
        """What came of it; ``timings`` is the column file's name and count."""
        name, count = timings or (None, 0)
        return ProcessRun(
            index=self.index,
            phases=tuple(self._phases),
            cold_start_ns=self._cold_start_ns(),
            blocks=self._blocks.all(),
            batch=self._batch,
            timings=name,
            timings_count=count,
            notes=tuple(self._notes),
            failure=self._error or failure,
            **self._fields,
        )

    def outputs(self) -> dict[str, np.ndarray[Any, Any]]:
        """The outputs over all samples by name; empty unless the job asked for them and collected all of them."""
        return self._outputs

    @property
    def error(self) -> Failure | None:
        """The worker's own account of what went wrong."""
        return self._error

    def _cold_start_ns(self) -> int | None:
        wanted = (records.START, records.IMPORT, records.LOAD, records.FIRST_QUERY)
        durations = {phase.name: phase.duration_ns for phase in self._phases}
        return sum(durations[name] for name in wanted) if all(name in durations for name in wanted) else None

    def _is_over(self, phase: str) -> bool:
        return any(one.name == phase for one in self._phases)

    def _hear_hello(self, fields: dict[str, Any], _: bytes) -> None:
        if fields["protocol"] != records.PROTOCOL:
            raise ProtocolError(f"the worker speaks protocol {fields['protocol']!r}, not {records.PROTOCOL}")
        self._fields["machine"] = facts(fields["machine"])

    def _hear_enter(self, fields: dict[str, Any], _: bytes) -> None:
        self.current_phase = one_of(fields["phase"], PHASES)
        if self._is_over(self.current_phase):
            raise ValueError(f"`{self.current_phase}` is over: are there two that tell it?")

    def _hear_phase(self, fields: dict[str, Any], _: bytes) -> None:
        name = one_of(fields["phase"], PHASES)
        rss, peak = maybe_whole(fields["rss_bytes"]), maybe_whole(fields["peak_rss_bytes"])
        if self._is_over(name):
            raise ValueError(f"`{name}` is told twice")
        if name == records.ACCURACY:
            self._join_outputs()
        self._phases.append(Phase(name, whole(fields["duration_ns"]), rss, peak))

    def _hear_facts(self, fields: dict[str, Any], _: bytes) -> None:
        self._fields["facts"] = facts(fields["facts"])
        self._fields["versions"] = {str(name): str(version) for name, version in fields["versions"].items()}
        self._fields["samples_source"] = one_of(fields["samples"]["source"], ("file", "generated"))
        self._fields["samples_count"] = whole(fields["samples"]["count"])

    def _hear_note(self, fields: dict[str, Any], _: bytes) -> None:
        if len(self._notes) < MAX_NOTES:
            self._notes.append(plain(str(fields["text"]))[:MAX_NOTE_CHARACTERS])

    def _hear_warm_up(self, fields: dict[str, Any], _: bytes) -> None:
        self._fields["warm_up"] = WarmUp(
            whole(fields["queries"]), whole(fields["duration_ns"]), bool(fields["settled"]), str(fields["rule"]),
            maybe_whole(fields.get("unsteady_queries")),
        )  # fmt: skip

    def _hear_audit(self, fields: dict[str, Any], _: bytes) -> None:
        queries, latency, wall, loop = (whole(fields[name]) for name in ("queries", "latency_ns", "wall_ns", "loop_ns"))
        self._fields["audit"] = Audit(queries, latency, wall, loop, finite(fields["ratio"]))

    def _hear_batch(self, fields: dict[str, Any], _: bytes) -> None:
        self._batch = whole(fields["size"])
        self._fields["batches_tried"] = tuple((whole(size), finite(rate)) for size, rate in fields["tried"])

    def _hear_block(self, fields: dict[str, Any], payload: bytes) -> None:
        told = {name: whole(one) for name, one in fields["seen"].items()}
        switches = told.pop("switches", 0)
        count, samples, start, wall = (whole(fields[name]) for name in ("count", "samples", "start_ns", "wall_ns"))
        busy, queue = (maybe_whole(fields.get(name)) for name in ("busy_ns", "queue_max"))
        block = Block(count, samples, start, wall, switches, busy, queue, Seen(**told))
        least = 0 if busy is not None else 1  # all of a server's queries may have been dropped
        if len(payload) != 8 * block.count or block.count < 1 or block.samples < least or block.wall_ns < 1:
            raise ValueError(
                f"{block.count} timings of {block.samples} samples in {len(payload)} bytes, {block.wall_ns} ns"
            )
        self._last = block
        self._blocks.add(block)

    def _hear_served(self, fields: dict[str, Any], _: bytes) -> None:
        seed, unanswered, found_free = (whole(fields[name]) for name in ("seed", "unanswered", "found_free"))
        p50, p90, p99 = (maybe_whole(fields.get(f"late_{name}_ns")) for name in ("p50", "p90", "p99"))
        arrivals = str(fields["arrivals"])
        burst_of(arrivals)
        rate = finite(fields["rate_per_s"])
        lead, between = (maybe_whole(fields.get(name)) for name in ("lead_ns", "between_ns"))
        self._fields["serving"] = Serving(
            rate, arrivals, seed, unanswered, found_free, p50, p99, crew(fields), p90, lead, between
        )

    def _hear_searched(self, fields: dict[str, Any], _: bytes) -> None:
        aims = tuple((finite(q), whole(limit_ns)) for q, limit_ns in fields["aims"])
        trials = tuple(
            RateTrial(finite(rate), whole(queries), wholes(over, aims), wholes(replayed, aims) if replayed else ())
            for rate, queries, over, replayed in fields["trials"]
        )
        curves = tuple(rising(curve) for curve in fields["curves"])
        if trials and len(curves) != len(aims):
            raise ValueError(f"{len(curves)} curves for {len(aims)} aims")
        tried = tuple((finite(one[0]), *(whole(number) for number in one[1:])) for one in fields["tried"])
        self._fields["searched"] = Searched(
            aims, trials, curves, cast(Any, tried), crew(fields), maybe_whole(fields.get("late_p50_ns"))
        )

    def _hear_device_times(self, fields: dict[str, Any], _: bytes) -> None:
        self._fields["device_times"] = device_times(fields)

    def _hear_profiled(self, fields: dict[str, Any], _: bytes) -> None:
        self.profile = profile(fields)

    def _hear_memory(self, fields: dict[str, Any], _: bytes) -> None:
        imported, loaded, peak = (maybe_whole(fields[name]) for name in ("import_bytes", "load_bytes", "peak_bytes"))
        self._fields["memory"] = Memory(imported, loaded, peak, str(fields["method"]))

    def _hear_meters(self, fields: dict[str, Any], _: bytes) -> None:
        energy, held, own = (maybe_whole(fields[name]) for name in ("energy_uj", "gpu_bytes", "own_bytes"))
        energy_by, held_by = (plain(str(fields[name]))[:MAX_NOTE_CHARACTERS] for name in ("energy_by", "gpu_by"))
        self._fields["metered"] = Metered(whole(fields["window_ns"]), energy, energy_by, held, held_by, own)

    def _hear_output(self, fields: dict[str, Any], payload: bytes) -> None:
        name, dtype_name = str(fields["name"]), str(fields["dtype"])
        shape = tuple(whole(size) for size in fields["shape"])
        if not _PLAIN_NUMBERS.fullmatch(dtype_name) or len(name) > MAX_LINE_CHARACTERS:
            raise ValueError(f"an output {name:.80} of dtype {dtype_name:.80}")
        dtype = np.dtype(dtype_name)
        expected = dtype.itemsize * int(np.prod(shape, dtype=object))
        self._output_bytes += len(payload)
        if self._output_bytes > MAX_OUTPUT_BYTES:
            raise ValueError(f"more than {MAX_OUTPUT_BYTES} bytes of outputs")
        buffer = self._buffers.setdefault(name, _OutputBuffer(dtype))
        of_first, data = buffer.rows.setdefault(whole(fields["first"]), (shape, bytearray()))
        if buffer.dtype != dtype or of_first != shape:
            raise ValueError(f"output {name:.80} of {dtype} {shape} goes on as {buffer.dtype} {of_first}")
        if whole(fields["at"]) != len(data) or len(data) + len(payload) > expected:
            raise ValueError(f"output bytes {fields['at']!r} + {len(payload)} of {expected}")
        data.extend(payload)

    def _hear_error(self, fields: dict[str, Any], _: bytes) -> None:
        error, message = plain(str(fields["error"]))[:100], plain(str(fields["message"]))[:MAX_ERROR_CHARACTERS]
        self._error = Failure(error, message, self.current_phase, stderr=lines(str(fields["trace"]), TRACE_LINES))

    def _hear_end(self, fields: dict[str, Any], _: bytes) -> None:
        if self._error is None:
            self._join_outputs()
            if not {"machine", "facts"} <= self._fields.keys():
                raise ValueError("it has not said what it ran, nor where")
        self._buffers.clear()
        self.ended = True

    def _join_outputs(self) -> None:
        self._outputs.update({name: buffer.array() for name, buffer in self._buffers.items()})
        self._buffers.clear()
