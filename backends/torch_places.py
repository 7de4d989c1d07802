"""Which operators of a PyTorch model run on the CPU though it was opened on a GPU: each that is dispatched is seen."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any, Callable, List

from bench.device.declared import OneOf

FALLBACK = "cpu fallback"
OPTION = OneOf("whether operators of the model may run on the CPU, told one by one", ("refused", "allowed"), "refused")
NAMED = 5


def astray(torch: Any, run: Callable[[], Any]) -> List[str]:
    """``aten.mm (2)``: the operators that gave a tensor on the CPU; single numbers steer kernels, and are none."""
    mode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    found: "Counter[str]" = Counter()

    class Watching(mode):  # type: ignore[misc]
        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), words: Any = None) -> Any:
            outputs = function(*arguments, **(words or {}))
            several = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
            if any(isinstance(one, torch.Tensor) and one.device.type == "cpu" and one.dim() > 0 for one in several):
                found[str(function.overloadpacket)] += 1
            return outputs

    with Watching():
        run()
    return ["%s (%d)" % one for one in found.most_common()]


def refusal(found: List[str], device: str) -> str:
    told = "operators of this model run on the CPU, not on %s: %s" % (device, named(found))
    return "%s; to measure it so, say option `%s: allowed`" % (told, FALLBACK)


def note(found: List[str], device: str) -> str:
    return "operators that run on the CPU, not on %s, as `%s: allowed` permits: %s" % (device, FALLBACK, named(found))


def named(found: List[str]) -> str:
    more = len(found) - NAMED
    return ", ".join(found[:NAMED]) + (" and %d more kinds" % more if more > 0 else "")
