"""One framework in a fresh process: import it and load the model, nothing else before or beside.

``python -m tests.speed.loads BACKEND FILE`` writes the time it took, in ns. This module imports nothing but the
standard library: what a framework imports (numpy too) is part of its own time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter_ns

DIGITS = Path(__file__).parents[2] / "configs" / "digits"


def onnxruntime() -> None:
    """An inference session of one thread."""
    import onnxruntime as ort  # type: ignore[import-untyped]

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    ort.InferenceSession(str(DIGITS / "digits.onnx"), options, providers=["CPUExecutionProvider"])


def openvino() -> None:
    """A compiled model of one thread and one stream."""
    import openvino as ov  # type: ignore[import-untyped]

    core = ov.Core()
    model = core.read_model(DIGITS / "digits.onnx")
    core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}).create_infer_request()


def pytorch() -> None:
    """A TorchScript module."""
    import torch

    torch.jit.load(str(DIGITS / "digits.ts.pt"))  # type: ignore[no-untyped-call]


LOADS = {"onnxruntime": onnxruntime, "openvino": openvino, "pytorch": pytorch}


def main() -> None:
    """Time one load."""
    begin = perf_counter_ns()
    LOADS[sys.argv[1]]()
    Path(sys.argv[2]).write_text(json.dumps(perf_counter_ns() - begin), encoding="utf-8")


if __name__ == "__main__":
    main()
