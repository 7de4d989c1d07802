"""A session's own options, those of every provider, nothing left to a default."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

from backends import options, ort_providers
from bench.device.adapter import AdapterError, Settings
from bench.device.declared import Conflict, Count, Declared, OneOf

OPTIMIZATIONS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "layout": "ORT_ENABLE_LAYOUT",
    "all": "ORT_ENABLE_ALL",
}
MODE, INTER_OP = "execution mode", "inter-op threads"
OPTIONS: Mapping[str, Declared] = {
    "graph optimization": OneOf("how much the graph is rewritten", tuple(OPTIMIZATIONS), "all"),
    MODE: OneOf("whether independent nodes run at the same time", ("sequential", "parallel"), "sequential"),
    "spinning": OneOf("whether idle threads of the pool spin before they sleep", (True, False), True),
    "deterministic": OneOf("whether only deterministic kernels are used", (True, False), False),
    INTER_OP: Count("threads that run independent nodes, in parallel mode"),
    **ort_providers.OPTIONS,
}
FATAL = 3
"""Severity from which the framework logs: errors, which come as exceptions too."""


def values_of(settings: Settings) -> Dict[str, Any]:
    """Every option's value, the default where it was left out."""
    return {name: options.value_of(settings.extra, OPTIONS, name) for name in OPTIONS}


def conflict(settings: Settings) -> Conflict:
    """Several threads for independent nodes need the mode that uses them."""
    inter_op, mode = (options.value_of(settings.extra, OPTIONS, name) for name in (INTER_OP, MODE))
    if inter_op > 1 and mode != "parallel":
        return INTER_OP, "%d threads for independent nodes: it needs option `execution mode`: parallel" % inter_op
    return None


def configure(ort: Any, settings: Settings) -> Tuple[Any, Dict[str, object]]:
    """The session's options, and what of them to record."""
    said = values_of(settings)
    optimization, mode, inter_op = said["graph optimization"], said[MODE], said[INTER_OP]
    spinning, deterministic = said["spinning"], said["deterministic"]
    if not hasattr(ort.GraphOptimizationLevel, OPTIMIZATIONS[optimization]):
        raise AdapterError("onnxruntime %s has no graph optimization `%s`" % (ort.__version__, optimization))
    own_pool = ort_providers.word_of(settings) != ort_providers.XNNPACK  # which has threads of its own
    spinning = spinning and own_pool
    config = ort.SessionOptions()
    config.intra_op_num_threads = settings.threads if own_pool else 1
    config.inter_op_num_threads = inter_op
    config.graph_optimization_level = getattr(ort.GraphOptimizationLevel, OPTIMIZATIONS[optimization])
    config.execution_mode = ort.ExecutionMode.ORT_PARALLEL if mode == "parallel" else ort.ExecutionMode.ORT_SEQUENTIAL
    config.enable_profiling = False
    config.use_deterministic_compute = deterministic
    config.log_severity_level = FATAL
    entries = {
        "session.intra_op.allow_spinning": str(int(spinning)),
        "session.inter_op.allow_spinning": str(int(spinning)),
    }
    for name, value in entries.items():
        config.add_session_config_entry(name, value)
    facts: Dict[str, object] = {"threads": settings.threads, "inter-op threads": inter_op, "session config": entries}
    facts.update({"graph optimization": optimization, "execution mode": mode, "spinning": spinning})
    facts["deterministic"] = deterministic
    return config, facts
