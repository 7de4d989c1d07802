"""What a query of ONNX Runtime takes by the GPU's own clock: CUDA's provider is given a stream of ours to work on.

Its option ``user_compute_stream`` takes a stream's address; events before and after a query's work tell its time. Such
a run is told not to wait (``disable_synchronize_execution_providers``), or the second event would come with the host.
https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#user_compute_stream
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Callable, Dict, List

from backends.cuda_driver import Context, Event, Stream
from bench.device.adapter import DeviceUnavailable

STREAM = "user_compute_stream"
UNWAITED = "disable_synchronize_execution_providers"
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

    def options(self) -> Dict[str, str]:
        """What to tell the provider."""
        return {STREAM: str(self._stream.number)}

    def asking(self, ort: Any, native: Any) -> Callable[[Any], Dict[str, int]]:
        """``device_times`` of that session: one query's ``gpu compute``, and the host's ``enqueue``, in ns."""
        options, run = ort.RunOptions(), native._sess.run_with_iobinding
        options.add_run_config_entry(UNWAITED, "1")

        def times(staged: Any) -> Dict[str, int]:
            self._cuda.use()
            self._events = self._events or [Event(), Event()]
            begun, done = self._events
            begun.record(self._stream)
            before = perf_counter_ns()
            run(staged.native, options)
            enqueue_ns = perf_counter_ns() - before
            done.record(self._stream)
            self._stream.wait()
            return {"gpu compute": done.ns_since(begun), "enqueue": enqueue_ns}

        return times

    def close(self) -> None:
        """After the session is gone, which works on the stream."""
        for event in self._events:
            event.close()
        self._events = []
        self._stream.close()
        self._cuda.close()

    def __del__(self) -> None:
        with suppress(Exception):  # of a session that was never opened; a finaliser has no caller
            self.close()
