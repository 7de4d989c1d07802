"""The loops somebody would write by hand for each framework: bound once, clock, call, clock.

Each framework has two: one on its public call, as most would write it, and one on the shortest call there is,
the one that benchpact's own adapter makes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

from tests.speed.rounds import Side, nearest_rank
from tests.speed.subjects import Subject

Pass = Callable[[Callable[..., Any], Sequence[Any], "list[int]"], None]
"""Times the call with each query once, and appends the latencies in ns."""


def one_argument(call: Callable[..., Any], queries: Sequence[Any], latencies: list[int]) -> None:
    """Most calls take the query alone."""
    for query in queries:
        begin = perf_counter_ns()
        call(query)
        end = perf_counter_ns()
        latencies.append(end - begin)


def timed(call: Callable[..., Any], queries: Sequence[Any], once: Pass = one_argument) -> Side:
    """A side that calls ``call`` with each query in turn, and answers its median latency in ns."""

    def side(seconds: float) -> float:
        latencies: list[int] = []
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < end_ns:
            once(call, queries, latencies)
        return nearest_rank(latencies, 0.5)

    return side


def ort_session(subject: Subject) -> Any:
    """An inference session on one thread."""
    import onnxruntime as ort  # type: ignore[import-untyped]

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(subject.onnx), options, providers=["CPUExecutionProvider"])


def ort_bindings(session: Any, subject: Subject) -> list[Any]:
    """One IO binding a query: input and output bound to host memory that stays where it is."""
    import numpy as np
    import onnxruntime as ort

    bindings = []
    for array in subject.queries():
        binding = session.io_binding()
        binding.bind_ortvalue_input(subject.input.name, ort.OrtValue.ortvalue_from_numpy(array))
        output = session.run(None, {subject.input.name: array})[0]
        binding.bind_ortvalue_output(subject.output.name, ort.OrtValue.ortvalue_from_numpy(np.zeros_like(output)))
        bindings.append(binding)
    return bindings


def ort(subject: Subject) -> Side:
    """ONNX Runtime by its public IO binding."""
    session = ort_session(subject)
    return timed(session.run_with_iobinding, ort_bindings(session, subject))


def ort_shortest(subject: Subject) -> Side:
    """ONNX Runtime by the private call under its public one."""

    def once(run: Callable[..., Any], queries: Sequence[Any], latencies: list[int]) -> None:
        for query in queries:
            begin = perf_counter_ns()
            run(query, None)
            end = perf_counter_ns()
            latencies.append(end - begin)

    session = ort_session(subject)
    bindings = ort_bindings(session, subject)
    side = timed(session._sess.run_with_iobinding, [binding._iobinding for binding in bindings], once)

    def with_its_bindings(seconds: float, _: list[Any] = bindings) -> float:
        return side(seconds)

    return with_its_bindings


def torch_module(subject: Subject) -> Any:
    """The TorchScript module on one thread."""
    import torch

    torch.set_num_threads(1)
    with warnings.catch_warnings(), torch.inference_mode(False):  # weights as they are where nobody is in that mode
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is on its way out, and still in the field
        return torch.jit.load(str(subject.torchscript)).eval()  # type: ignore[no-untyped-call]


def pytorch(subject: Subject) -> Side:
    """TorchScript in inference mode, the module called."""
    return _in_inference_mode(torch_module(subject), subject)


def pytorch_shortest(subject: Subject) -> Side:
    """TorchScript in inference mode, ``forward`` called: without the module's look for hooks."""
    return _in_inference_mode(torch_module(subject).forward, subject)


def _in_inference_mode(call: Callable[[Any], Any], subject: Subject) -> Side:
    import torch

    side = timed(call, [torch.from_numpy(array) for array in subject.queries()])

    def in_inference_mode(seconds: float) -> float:
        with torch.inference_mode():
            return side(seconds)

    return in_inference_mode


def openvino_request(subject: Subject) -> Any:
    """A synchronous request of a model compiled for one stream of one thread, in fp32."""
    import openvino  # type: ignore[import-untyped]

    core = openvino.Core()
    model = core.read_model(subject.onnx)
    model.reshape([1, *subject.input.shape[1:]])
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    hints.update(INFERENCE_NUM_THREADS="1", NUM_STREAMS="1")
    return core.compile_model(model, "CPU", hints).create_infer_request()


def openvino(subject: Subject) -> Side:
    """OpenVINO's public ``infer`` on inputs bound beforehand, one request a query; nothing is copied."""
    return timed(lambda request: request.infer(share_outputs=True), _bound_requests(subject))


def openvino_shortest(subject: Subject) -> Side:
    """The C++ request's ``infer``, without the Python around it that sorts inputs and makes a dictionary of outputs."""
    from openvino._pyopenvino import InferRequest  # type: ignore[import-untyped]

    def once(infer: Callable[..., Any], queries: Sequence[Any], latencies: list[int]) -> None:
        nothing: dict[int, Any] = {}
        for request in queries:
            begin = perf_counter_ns()
            infer(request, nothing, True, False)
            end = perf_counter_ns()
            latencies.append(end - begin)

    return timed(InferRequest.infer, _bound_requests(subject), once)


def _bound_requests(subject: Subject) -> list[Any]:
    import openvino

    requests = [openvino_request(subject) for _ in subject.queries()]
    for request, array in zip(requests, subject.queries(), strict=True):
        request.set_input_tensor(openvino.Tensor(array))
    return requests
