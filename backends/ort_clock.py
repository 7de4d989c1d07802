"""What a query of ONNX Runtime takes by the GPU's own clock: CUDA's provider is given a stream of ours to work on.

Its option ``user_compute_stream`` takes a stream's address; events before and after a query's work tell its time. Such
a run is told not to wait (``disable_synchronize_execution_providers``), or the second event would come with the host.
https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#user_compute_stream
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Dict, List, Optional

from backends import ort_nodes
from backends.cuda_driver import Context, Event, Stream
from bench.device.adapter import DeviceUnavailable

STREAM = "user_compute_stream"
UNWAITED = "disable_synchronize_execution_providers"
HELD_NS = 50_000_000
"""How long the stream is held at least, once, to see whether the provider works on it; as long as a query, if that is
longer."""
ELSEWHERE = (
    "`gpu clock`: CUDA's provider does not work on the stream that it was given, so the GPU's own time is not told"
)
NO_BINDINGS = "`gpu clock` needs cuda-bindings, which is not usable here (%s): pip install cuda-bindings"


class OrtClock:
    """A stream of GPU ``number`` that a session's provider works on, and events in it."""

    def __init__(self, number: int) -> None:
        try:
            self._cuda = Context(number, spins=None)
        except ImportError as error:
            raise DeviceUnavailable(NO_BINDINGS % error)
        self._stream = Stream()
        self._events: List[Event] = []
        self._run: Any = None
        self._unwaited: Any = None
        self._facts: Dict[str, object] = {}
        self._proven: Optional[bool] = None

    def options(self) -> Dict[str, str]:
        """What to tell the provider."""
        return {STREAM: str(self._stream.number)}

    def start(self, ort: Any, native: Any, facts: Dict[str, object]) -> None:
        """The session that was opened with those options, and where to note what is found of it."""
        self._facts = facts
        self._run, self._unwaited = native._sess.run_with_iobinding, ort.RunOptions()
        self._unwaited.add_run_config_entry(UNWAITED, "1")

    def times(self, staged: Any) -> Dict[str, int]:
        """One query's ``gpu compute``, and the host's ``enqueue``, in ns; nothing, and a note, where it cannot be told.

        It is asked after the timed queries, so that what is looked at for it once disturbs none.
        """
        self._cuda.use()
        if self._proven is None:
            self._proven = self._is_its_stream(staged)
            if not self._proven:
                ort_nodes.note(self._facts, ELSEWHERE)
        if not self._proven:
            return {}
        self._events = self._events or [Event(), Event()]
        begun, done = self._events
        begun.record(self._stream)
        before = perf_counter_ns()
        self._run(staged.native, self._unwaited)
        enqueue_ns = perf_counter_ns() - before
        done.record(self._stream)
        self._stream.wait()
        return {"gpu compute": done.ns_since(begun), "enqueue": enqueue_ns}

    def close(self) -> None:
        """After the session is gone, which works on the stream."""
        self._run = None
        for event in self._events:
            event.close()
        self._events = []
        self._stream.close()
        self._cuda.close()

    def __del__(self) -> None:
        with suppress(Exception):  # of a session that was never opened; a finaliser has no caller
            self.close()

    def _is_its_stream(self, staged: Any) -> bool:
        """Whether the provider works on the stream: a run then waits for what holds it up there.

        Else two events there would be of nothing.
        """
        self._waited_ns(staged)  # the first run may prepare much
        plain_ns = self._waited_ns(staged)
        held_ns = max(HELD_NS, plain_ns)
        self._stream.hold(held_ns // 1000)
        return self._waited_ns(staged) >= plain_ns + held_ns // 2

    def _waited_ns(self, staged: Any) -> int:
        before = perf_counter_ns()
        self._run(staged.native, None)
        return perf_counter_ns() - before
