"""Polygraphy's ONNX Runtime runner: what it says each inference took."""

from __future__ import annotations

from time import perf_counter_ns

from tests.speed.peers.by_hand import ort_session
from tests.speed.rounds import Side, nearest_rank
from tests.speed.subjects import Subject


def polygraphy(subject: Subject) -> Side:
    """The median of the runner's own ``last_inference_time``, in ns."""
    from polygraphy.backend.onnxrt import OnnxrtRunner  # type: ignore[import-not-found]

    runner = OnnxrtRunner(ort_session(subject))
    runner.activate()
    feeds = [{subject.input.name: array} for array in subject.queries()]

    def side(seconds: float) -> float:
        latencies = []
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < end_ns:
            for feed in feeds:
                runner.infer(feed, check_inputs=False)
                latencies.append(runner.last_inference_time() * 1e9)
        return nearest_rank(latencies, 0.5)

    return side
