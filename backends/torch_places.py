"""Which operators of a PyTorch model run on the CPU though it was opened on a GPU: each that is dispatched is seen."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any, Callable, List, NamedTuple

from bench.device.declared import OneOf

FALLBACK, FOUND = "cpu fallback", "operators on the cpu"
OPTION = OneOf("whether operators of the model may run on the CPU, told one by one", ("refused", "allowed"), "refused")
NAMED = 5
MOVES = ("aten._to_copy", "aten.copy_", "aten.clone", "aten.empty", "aten.empty_like", "aten.empty_strided")
"""What only makes room or copies, as to the GPU and back; ``aten.to`` is among the views."""


class Places(NamedTuple):
    """Where the operators of a query ran: those on the CPU, and whether any computed elsewhere."""

    on_cpu: "Counter[str]"
    on_device: bool


def look(torch: Any, run: Callable[[], Any]) -> Places:
    """Run it and see each operator; single numbers steer kernels, and are none. Views and copies compute nothing."""
    mode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    found: "Counter[str]" = Counter()
    elsewhere: List[str] = []

    class Watching(mode):  # type: ignore[misc]
        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), words: Any = None) -> Any:
            outputs = function(*arguments, **(words or {}))
            name = str(function.overloadpacket)
            several = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
            places = [one.device.type for one in several if isinstance(one, torch.Tensor) and one.dim() > 0]
            if "cpu" in places:
                found[name] += 1
            elif places and name not in MOVES and not getattr(function, "is_view", False):
                elsewhere.append(name)
            return outputs

    with torch.jit.optimized_execution(False), Watching():  # a later run of TorchScript would hide what it fuses
        run()
    return Places(found, bool(elsewhere))


def listed(on_cpu: "Counter[str]") -> List[str]:
    """``aten.mm (2)``: each operator that gave a tensor on the CPU, and how often."""
    return ["%s (%d)" % one for one in on_cpu.most_common()]


def refusal(found: List[str], device: str) -> str:
    told = "operators of this model run on the CPU, not on %s: %s" % (device, named(found))
    return "%s; to measure it so, say option `%s: allowed`" % (told, FALLBACK)


def whole_refusal(found: List[str], device: str) -> str:
    return "no operator of this model ran on %s, and no number is that device's then: on the CPU ran %s" % (
        device, named(found),
    )  # fmt: skip


def note(found: List[str], device: str) -> str:
    return "operators that run on the CPU, not on %s, as `%s: allowed` permits: %s" % (device, FALLBACK, named(found))


def named(found: List[str]) -> str:
    more = len(found) - NAMED
    return ", ".join(found[:NAMED]) + (" and %d more kinds" % more if more > 0 else "")
