"""OpenVINO's benchmark_app: its synchronous loop, as ``benchmark_app -api sync -hint latency`` runs it."""

from __future__ import annotations

from typing import Any

from tests.speed.peers.by_hand import openvino_request
from tests.speed.rounds import Side, nearest_rank
from tests.speed.subjects import Subject


class _OneQuery:
    """The app's queue of inputs, which its loop only asks for the batch size."""

    def get_next_batch_size(self) -> int:
        return 1


def _app(subject: Subject) -> Any:
    import openvino  # type: ignore[import-untyped]
    from openvino.tools.benchmark.benchmark import Benchmark  # type: ignore[import-untyped]

    app = Benchmark("CPU", number_iterations=1, api_type="sync", inference_only=True)
    request = openvino_request(subject)
    request.set_input_tensor(openvino.Tensor(subject.queries()[0]))
    app.niter = None
    return app, request


def reported(subject: Subject) -> Side:
    """The median latency it prints, in ns: the request's own clock, inside the framework's C++."""
    app, request = _app(subject)

    def side(seconds: float) -> float:
        app.duration_seconds = seconds
        times_ms, _, _ = app.sync_inference(request, _OneQuery())
        return nearest_rank(times_ms, 0.5) * 1e6

    return side


def per_call(subject: Subject) -> Side:
    """The time an iteration took it (the inverse of the throughput it prints), in ns: what a caller waits."""
    app, request = _app(subject)

    def side(seconds: float) -> float:
        app.duration_seconds = seconds
        _, total_s, iterations = app.sync_inference(request, _OneQuery())
        return float(total_s / iterations * 1e9)

    return side
