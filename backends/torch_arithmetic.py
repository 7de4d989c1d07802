"""What PyTorch may do inside fp32: every word that it has for that, set and read back, on the CPU and on a GPU.

Newer torch has a word for each library and each kind of layer, and one that says nothing (``none``) takes what the
library's or the general one says: https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32
"""

from __future__ import annotations

from typing import Any, List

from backends import staging
from bench.device.adapter import AdapterError

WORD = "fp32_precision"
EXACT, TF32 = "ieee", "tf32"
ALL = ("", "mkldnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
NVIDIAS = ("cudnn", "cuda.matmul", "cudnn.conv", "cudnn.rnn")
"""What says it, under ``torch.backends``: the general one is first, for a library's own word comes after it."""
HIGH = {True: "high", False: "highest"}


def say(torch: Any, tf32: bool) -> None:
    """fp32 is fp32 in this process, or TF32 on a GPU where ``tf32``; AdapterError where torch then says otherwise."""
    _set(torch, tf32)  # torch asks no old word while the new ones disagree
    torch.set_float32_matmul_precision(HIGH[tf32])
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    _set(torch, tf32)  # an old word says more than its own library's
    demand(torch, tf32)


def demand(torch: Any, tf32: bool) -> None:
    """AdapterError where torch's words are not those that ``say`` set: it would compute in other arithmetic."""
    wrong = [
        "torch.backends.%s is %s, not %s" % (_named(place), getattr(part, WORD), wanted)
        for place, part, wanted in _parts(torch, tf32)
        if getattr(part, WORD) != wanted
    ]
    wrong += [] if wrong else _old(torch, tf32)
    if wrong:
        raise AdapterError("the arithmetic of fp32 is not what was asked for: %s" % "; ".join(wrong))


def _old(torch: Any, tf32: bool) -> List[str]:
    """What the old words say otherwise. Torch refuses to tell them where the new ones disagree."""
    backends = torch.backends
    try:
        told = {
            "float32 matmul precision": (torch.get_float32_matmul_precision(), HIGH[tf32]),
            "torch.backends.cuda.matmul.allow_tf32": (bool(backends.cuda.matmul.allow_tf32), tf32),
            "torch.backends.cudnn.allow_tf32": (bool(backends.cudnn.allow_tf32), tf32),
        }
    except RuntimeError as error:
        return [staging.one_line(error)]
    return ["%s is %s, not %s" % (name, got, wanted) for name, (got, wanted) in told.items() if got != wanted]


def _set(torch: Any, tf32: bool) -> None:
    for _, part, wanted in _parts(torch, tf32):
        setattr(part, WORD, wanted)


def _parts(torch: Any, tf32: bool) -> List[Any]:
    """Each thing of this torch that has the word, and what it shall say; nothing where torch is older."""
    found = []
    for place in (*ALL, *NVIDIAS):
        part: Any = torch.backends
        for name in filter(None, place.split(".")):
            part = getattr(part, name, None)
        if hasattr(part, WORD):
            found.append((place, part, TF32 if tf32 and place in NVIDIAS else EXACT))
    return found


def _named(place: str) -> str:
    return "%s.%s" % (place, WORD) if place else WORD
