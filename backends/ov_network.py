"""What OpenVINO says of a model: its ports, its weights, and what it made of the configuration asked for."""

from __future__ import annotations

from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from backends import staging
from backends.matching import Found
from bench.device.adapter import AdapterError, DeviceUnavailable, ModelRejected, TensorSpec

PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
DTYPES = {"f32": "float32", "f16": "float16", "f64": "float64", "bf16": "bfloat16", "i8": "int8", "u8": "uint8",
          "i32": "int32", "i64": "int64", "boolean": "bool"}  # fmt: skip
"""The framework's names of the types that weights mostly have."""


@contextmanager
def rejecting(path: Path) -> Iterator[None]:
    try:
        yield
    except (AdapterError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the framework raises here is about the model
        raise ModelRejected("openvino does not take %s: %s" % (path.name, staging.one_line(error)))


def ports(ports: List[Any], specs: Tuple[TensorSpec, ...]) -> Dict[str, Any]:
    """The network's inputs or outputs in order, each by that of its names which the contract uses."""
    wanted = {spec.name for spec in specs}
    named = {}
    for port in ports:
        names = port.get_names() or {port.get_node().get_friendly_name()}
        named[min(names & wanted or names)] = port
    return named


def found(ports: Mapping[str, Any]) -> Dict[str, Found]:
    found = {}
    for name, port in ports.items():
        shape = port.get_partial_shape()
        sizes = None if shape.rank.is_dynamic else [None if one.is_dynamic else one.get_length() for one in shape]
        found[name] = Found(str(np.dtype(port.get_element_type().to_dtype())), sizes)
    return found


def weights(network: Any) -> Dict[str, int]:
    """Number of elements of the network's constants by dtype."""
    counts: Dict[str, int] = {}
    for node in network.get_ops():
        if node.get_type_name() == "Constant":
            dtype = node.get_element_type().get_type_name()
            dtype = DTYPES.get(dtype, dtype)
            counts[dtype] = counts.get(dtype, 0) + prod(node.get_output_shape(0))
    return counts


def taken(compiled: Any, config: Mapping[str, Any]) -> Dict[str, object]:
    """What the compiled model says of itself, as facts; DeviceUnavailable unless it is what was asked for."""
    said = {name: compiled.get_property(name) for name in config}
    said["INFERENCE_PRECISION_HINT"] = said["INFERENCE_PRECISION_HINT"].get_type_name()
    for name in ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "NUM_STREAMS"):
        if str(said[name]) != str(config[name]):
            raise DeviceUnavailable(
                "asked OpenVINO for %s %s, but on this processor it takes %s" % (name, config[name], said[name])
            )
    words = {theirs: ours for ours, theirs in PRECISIONS.items()}
    return {
        "precision": words[said["INFERENCE_PRECISION_HINT"]],
        "threads": int(said["INFERENCE_NUM_THREADS"]),
        "streams": int(said["NUM_STREAMS"]),
        "config": {name: str(value) for name, value in said.items()},
    }
