"""From an ONNX file to a serialised engine: parse, optimisation profile, builder's configuration, build.

https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/python-api-docs.html
Works with TensorRT 10 and 11 and with TensorRT-RTX. Since version 11 a network is always strongly typed: it computes in
the types that the graph says. Before, a graph of fp32 may be computed in fp16 or bf16 where a flag allows it.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Any, Dict, List, Mapping, NamedTuple

from backends import trt_api
from backends.matching import Found, match_inputs, match_outputs
from backends.trt_api import Log, trt
from backends.trt_options import Shapes
from bench.device.adapter import AdapterError, ModelFiles, ModelRejected

FLAGS = {"fp16": "FP16", "bf16": "BF16"}
"""The builder's flags of a network that is not strongly typed; gone since version 11."""
NAMED = 8
"""So many of the parser's errors are told."""
SILENT = "it does not say why"


class Asked(NamedTuple):
    """How an engine is built. ``graph`` is the ONNX file's own precision, ``capability`` the GPU's, like ``9.0``."""

    precision: str
    graph: str
    workspace_bytes: int
    level: int
    capability: str


class Built(NamedTuple):
    """A serialised engine, what the builder learned of kernels' speed, and how long it took."""

    plan: bytes
    timings: bytes
    build_ns: int


def build(path: Path, model: ModelFiles, shapes: Mapping[str, Shapes], asked: Asked, timings: bytes, log: Log) -> Built:
    """The engine of an ONNX file for inputs of these shapes; ``timings`` are those of an earlier build, or empty.

    ModelRejected, with the parser's or the builder's own words, where there is none.
    """
    begun = perf_counter_ns()
    builder = trt.Builder(log.native)
    strongly = asked.precision not in FLAGS or asked.precision == asked.graph
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if strongly else 0)
    parse(path, network, log)
    check_tensors(model, network)
    config = configured(builder, asked, strongly)
    log.forget()
    _add_profile(builder, network, config, shapes, log)
    _use_timings(config, timings)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelRejected("%s builds no engine of %s: %s" % (trt_api.name_of(), path.name, log.since(SILENT)))
    learned = config.get_timing_cache()
    timings = b"" if learned is None else _bytes(learned.serialize())
    return Built(_bytes(plan), timings, perf_counter_ns() - begun)


def parse(path: Path, network: "trt.INetworkDefinition", log: Log) -> None:
    """Read the file into the network; ModelRejected names the file and every node that the parser does not take."""
    head = "%s does not take %s: " % (trt_api.name_of(), path.name)
    if not path.is_file():
        raise ModelRejected(head + "there is no such file")
    parser = trt.OnnxParser(network, log.native)
    log.forget()
    taken = parser.parse_from_file(str(path))
    if not taken:
        told = [_told(parser.get_error(at)) for at in range(parser.num_errors)]
        raise ModelRejected(head + (_listed(told) or log.since(SILENT)))
    if not network.num_outputs:  # seen: bytes that are no model are taken for an empty one
        raise ModelRejected(head + "it holds no graph with an output")


def _told(error: "trt.ParserError") -> str:
    """One error: the node where there is one, and why."""
    why = " ".join(str(error.desc()).split())
    code = str(error.code()).rpartition(".")[2]
    node = "node %d %s" % (error.node(), error.node_operator() or "")
    name = " `%s`" % error.node_name() if error.node_name() else ""
    where = node.strip() + name + ": " if error.node() >= 0 and (name or error.node_operator()) else ""
    return "%s%s%s" % (where, code, ": " + why if why else "")


def _listed(told: List[str]) -> str:
    told = list(dict.fromkeys(told))
    more = len(told) - NAMED
    return "; ".join(told[:NAMED]) + ("; and %d more" % more if more > 0 else "")


def check_tensors(model: ModelFiles, network: "trt.INetworkDefinition") -> None:
    """ModelRejected unless the graph has the contract's tensors, none of them one that sets others' shapes."""
    inputs = [network.get_input(at) for at in range(network.num_inputs)]
    for tensor in inputs:
        if tensor.is_shape_tensor:
            raise ModelRejected(
                "input `%s` is a size that shapes are made of: such inputs are not taken here; export the model with "
                "a number in its place" % tensor.name
            )
    match_inputs(model.inputs, _found(inputs))
    match_outputs(model.outputs, _found([network.get_output(at) for at in range(network.num_outputs)]))


def _found(tensors: "List[trt.ITensor]") -> Dict[str, Found]:
    return {one.name: Found(trt_api.dtype_of(one.dtype), trt_api.loose(one.shape)) for one in tensors}


def configured(builder: "trt.Builder", asked: Asked, strongly: bool) -> "trt.IBuilderConfig":
    """The builder's configuration, nothing left to a default that changes numbers."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, asked.workspace_bytes)
    config.builder_optimization_level = asked.level
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if asked.precision == "tf32":
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    if not strongly:
        flag: Any = getattr(trt.BuilderFlag, FLAGS[asked.precision], None)
        if flag is None:
            raise ModelRejected(
                "precision %s was asked for, but the graph's is %s, and %s %s computes a graph in its own types: say "
                "`precision: %s`, or convert the model"
                % (asked.precision, asked.graph, trt_api.name_of(), trt_api.version(), asked.graph)
            )
        config.set_flag(flag)
    _say_capability(config, asked.capability)
    return config


def _say_capability(config: Any, capability: str) -> None:
    """TensorRT-RTX builds for the kinds of GPU that it is told, also where there is none."""
    if not hasattr(config, "set_compute_capability"):
        return
    kinds: Any = getattr(trt, "ComputeCapability")  # noqa: B009 - only TensorRT-RTX has it
    kind = getattr(kinds, "SM" + capability.replace(".", ""), None)
    if kind is None:
        raise AdapterError("%s does not build for GPUs of compute capability %s" % (trt_api.name_of(), capability))
    config.num_compute_capabilities = 1
    config.set_compute_capability(kind, 0)


def _add_profile(
    builder: "trt.Builder",
    network: "trt.INetworkDefinition",
    config: "trt.IBuilderConfig",
    shapes: Mapping[str, Shapes],
    log: Log,
) -> None:
    """The shapes of the inputs that the graph leaves open."""
    inputs = [network.get_input(at) for at in range(network.num_inputs)]
    loose = [tensor.name for tensor in inputs if None in trt_api.loose(tensor.shape)]
    if not loose:
        return
    profile = builder.create_optimization_profile()
    for name in loose:
        three: Any = shapes[name]  # tuples are taken for the library's own kind of shape
        profile.set_shape(name, *three)
    if config.add_optimization_profile(profile) < 0:
        raise ModelRejected("%s does not take these shapes: %s" % (trt_api.name_of(), log.since(SILENT)))


def _bytes(native: Any) -> bytes:
    """A copy of memory that the library holds."""
    return bytes(memoryview(native))


def _use_timings(config: "trt.IBuilderConfig", timings: bytes) -> None:
    """Begin with what an earlier build learned of kernels' speed, where the library still takes it; else anew."""
    for known in (timings, b"") if timings else (b"",):
        cache = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, False):
            return
