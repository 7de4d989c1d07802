"""Which execution provider a device means, what it computes in, and the options it gets: none is left to it; pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from bench.device.adapter import ModelFiles, Settings
from bench.device.declared import Conflict, Declared, OneOf, Size, bytes_of

PROVIDER, FALLBACK, GRAPH, MEMORY = "provider", "cpu fallback", "cuda graph", "gpu memory limit"
SEARCH, WORKSPACE, CACHE = "cudnn search", "workspace limit", "engine cache"
CLOCK = "gpu clock"
XNNPACK = "xnnpack"
SEARCHES = {"exhaustive": "EXHAUSTIVE", "heuristic": "HEURISTIC", "default": "DEFAULT"}
OPTIONS: Mapping[str, Declared] = {
    PROVIDER: OneOf(
        "what runs the graph; auto is cpu on a CPU and cuda on a GPU",
        ("auto", "cpu", XNNPACK, "cuda", "tensorrt"), "auto"
    ),
    FALLBACK: OneOf(
        "whether nodes that the GPU does not take may run on the CPU, told one by one",
        ("refused", "allowed"), "refused"
    ),
    MEMORY: Size("the most memory of the GPU that cuda takes for tensors; no limit by default", None),
    GRAPH: OneOf("whether cuda captures its kernels once and replays them; shapes must be fixed", (True, False), False),
    CLOCK: OneOf(
        "whether cuda works on one stream of ours, and the GPU's own time of a query is told beside its latency",
        (True, False), False
    ),
    SEARCH: OneOf("how cuda looks for a convolution's algorithm", tuple(SEARCHES), "exhaustive"),
    WORKSPACE: Size("memory for what tensorrt tries when it builds", 1 << 30),
    CACHE: OneOf("whether tensorrt's engines are kept on disk for the next process", (True, False), True),
}  # fmt: skip


class Provider(NamedTuple):
    """An execution provider: ``behind`` are those on the same device that may take what it leaves.

    ``memory`` is the framework's word for the device's memory. ``waits`` says whether its run returns
    when the work is done; where it does not, outputs are synchronised after each run, in the clock.
    """

    name: str
    behind: Tuple[str, ...] = ()
    memory: str = "cuda"
    waits: bool = True

    @property
    def chain(self) -> Tuple[str, ...]:
        return (self.name, *self.behind)


CPU = Provider("CPUExecutionProvider", memory="cpu")
PROVIDERS: Dict[str, Provider] = {
    "cpu": CPU,
    XNNPACK: Provider("XnnpackExecutionProvider", memory="cpu"),
    "cuda": Provider("CUDAExecutionProvider"),
    "tensorrt": Provider("TensorrtExecutionProvider", ("CUDAExecutionProvider",), waits=False),
}
"""By the contract's word. CUDA's run ends by waiting for its stream (onnxruntime_run_options_config_keys.h, under
``disable_synchronize_execution_providers``); of TensorRT's that is not documented, so its outputs are waited for."""
BY_DEVICE: Dict[str, Tuple[str, ...]] = {"cpu": ("cpu", XNNPACK), "cuda": ("cuda", "tensorrt")}
"""The providers of a kind of device; the first one is meant where none is said."""
CUDA_DEVICES = tuple("cuda:%d" % number for number in range(8))
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp64")
COMPUTES: Mapping[str, Mapping[str, Tuple[str, ...]]] = {
    "cpu": {"fp16": ("fp16", "fp32"), "bf16": ("bf16", "fp32")},
    XNNPACK: {"fp16": (), "bf16": ()},
    "cuda": {"fp32": ("fp32", "tf32")},
    "tensorrt": {"fp32": ("fp32", "tf32", "fp16", "bf16"), "fp64": ()},
}
"""The precisions that a provider can compute a graph of that precision in; others in the graph's own only.

Which of the two a 16-bit graph gets on a CPU is the framework's choice: ``ort_computed`` finds it out."""
_OF_CUDA, _OF_TENSORRT = (GRAPH, SEARCH, MEMORY, CLOCK), (WORKSPACE, CACHE)


def word_of(settings: Settings) -> str:
    """The provider's word: what is said, or what the device implies."""
    said = str(settings.extra.get(PROVIDER, "auto"))
    return BY_DEVICE[kind_of(settings.device)][0] if said == "auto" else said


def kind_of(device: str) -> str:
    return device.partition(":")[0]


def number_of(device: str) -> int:
    return int(device.partition(":")[2] or 0)


def precisions_of(word: str, graph: str) -> Tuple[str, ...]:
    """The precisions in which the provider can compute a graph of this one."""
    return COMPUTES.get(word, {}).get(graph, (graph,))


def other_precision(settings: Settings, graph: str) -> str:
    """Why the precision asked for cannot be had of a graph of this one; nothing where it can."""
    word = word_of(settings)
    can = precisions_of(word, graph)
    if settings.precision in can:
        return ""
    asked = "precision %s was asked for, but the graph's is %s, and " % (settings.precision, graph)
    if can == (graph,):
        return asked + "the %s provider computes in the graph's: say `precision: %s`, or convert the model" % (
            word.upper() if word in ("cpu", "cuda") else word, graph,
        )  # fmt: skip
    return asked + "%s computes it in %s" % (word, " or ".join(can) or "nothing: convert the model")


def conflict(model: ModelFiles, settings: Settings, values: Mapping[str, Any]) -> Conflict:
    """The option or setting that does not go with the others, and why. ``values`` hold every option's."""
    word, kind = word_of(settings), kind_of(settings.device)
    if word not in BY_DEVICE.get(kind, (word,)):
        able = " or ".join(BY_DEVICE[kind])
        return PROVIDER, "%s does not run on device `%s`: it takes %s" % (word, settings.device, able)
    foreign: Tuple[str, ...] = () if word == "tensorrt" else _OF_TENSORRT
    foreign += {"cuda": (), "tensorrt": (SEARCH, MEMORY, CLOCK)}.get(word, _OF_CUDA)
    foreign += (FALLBACK,) if kind == "cpu" else ()
    for name in foreign:
        if name in settings.extra:
            return name, "the %s provider has no such thing: it is for %s" % (
                word, "tensorrt" if name in _OF_TENSORRT else
                "provider `cuda`" if word == "tensorrt" else "a GPU, like `device: cuda:0`",
            )  # fmt: skip
    if word == XNNPACK and "spinning" in settings.extra:
        return "spinning", "onnxruntime's own pool has one thread beside XNNPACK's: leave it out"
    if word == XNNPACK and values["execution mode"] == "parallel":
        return "execution mode", "nodes would take turns at XNNPACK's one pool: leave it out"
    if kind != "cpu" and values["execution mode"] == "parallel":
        return "execution mode", "a GPU's provider runs nodes in sequence, whatever is asked for: leave it out"
    return (_clock_conflict(settings) if values[CLOCK] else None) or (
        _graph_conflict(model, settings, word) if values[GRAPH] else None
    )


def _clock_conflict(settings: Settings) -> Conflict:
    """Between two events there may be nothing but the GPU's own work of the query."""
    if settings.residency != "device":
        return CLOCK, "copies to and from the host go by streams of the framework's own: say `residency: device`"
    if settings.extra.get(FALLBACK) == "allowed":
        return CLOCK, "what nodes on the CPU take would be in it: leave `cpu fallback` out"
    if settings.extra.get(GRAPH):
        return CLOCK, "a captured graph's replay waits by itself, and the wait would be in it: leave `cuda graph` out"
    return None


def _graph_conflict(model: ModelFiles, settings: Settings, word: str) -> Conflict:
    """A captured graph holds addresses and sizes: nothing may move, and nothing may be on the CPU."""
    if word != "cuda":
        return GRAPH, "only provider cuda has it here: leave it out, or say `provider: cuda`"
    if settings.residency != "device":
        return GRAPH, "it replays fixed addresses of the GPU, so inputs must be there: say `residency: device`"
    if settings.extra.get(FALLBACK) == "allowed":
        return GRAPH, "it takes only what is wholly on the GPU: leave `cpu fallback` out"
    for spec in (*model.inputs, *model.outputs):
        loose = [size for size in spec.shape if isinstance(size, str) and size not in model.dims]
        if loose:
            told = (spec.name, ", ".join(str(size) for size in spec.shape), loose[0])
            return GRAPH, "it needs fixed shapes, but `%s` is [%s]: export the model with a number for `%s`" % told
    return None


def options_of(settings: Settings, values: Mapping[str, Any], cache: str) -> List[Tuple[str, Dict[str, str]]]:
    """The providers to ask for, in order, each with its options; ``cache`` is the engines' folder, or nothing."""
    word, number = word_of(settings), number_of(settings.device)
    cuda = ("CUDAExecutionProvider", _cuda(number, settings.precision, values))
    if word == "tensorrt":
        return [("TensorrtExecutionProvider", _tensorrt(number, settings.precision, values, cache)), cuda]
    if word == XNNPACK:  # https://onnxruntime.ai/docs/execution-providers/Xnnpack-ExecutionProvider.html
        return [(PROVIDERS[word].name, {"intra_op_num_threads": str(settings.threads)})]
    return [cuda] if word == "cuda" else [(PROVIDERS[word].name, {})]


def _cuda(number: int, precision: str, values: Mapping[str, Any]) -> Dict[str, str]:
    """https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html"""
    said = {
        "device_id": str(number),
        "use_tf32": str(int(precision == "tf32")),
        "cudnn_conv_algo_search": SEARCHES[values[SEARCH]],
        "cudnn_conv_use_max_workspace": "1",
        "do_copy_in_default_stream": "1",
        "arena_extend_strategy": "kNextPowerOfTwo",
        "enable_cuda_graph": str(int(values[GRAPH])),
        "prefer_nhwc": "0",
        "tunable_op_enable": "0",
    }
    limit = values[MEMORY]
    return said if limit is None else dict(said, gpu_mem_limit=str(bytes_of(limit)))


def _tensorrt(number: int, precision: str, values: Mapping[str, Any], cache: str) -> Dict[str, str]:
    """https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html

    TF32 has no option: ``NVIDIA_TF32_OVERRIDE`` tells all of NVIDIA's libraries.
    """
    said = {
        "device_id": str(number),
        "trt_fp16_enable": str(int(precision == "fp16")),
        "trt_bf16_enable": str(int(precision == "bf16")),
        "trt_int8_enable": "0",
        "trt_max_workspace_size": str(_bytes(values[WORKSPACE])),
        "trt_builder_optimization_level": "3",
        "trt_cuda_graph_enable": "0",
        "trt_engine_cache_enable": str(int(bool(cache))),
        "trt_timing_cache_enable": str(int(bool(cache))),
    }
    return dict(said, trt_engine_cache_path=cache, trt_timing_cache_path=cache) if cache else said


def _bytes(value: Any) -> int:
    """A size that was written, or a default, which is a number."""
    return value if isinstance(value, int) else bytes_of(value)
