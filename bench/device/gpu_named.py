"""Whether this machine has the GPU that a session says it runs on: asked of NVIDIA's driver, without a CUDA context.

A session that does run there has begun the driver already: to ask again costs nothing.
"""

from __future__ import annotations

import ctypes
import re
import sys
import unicodedata
from typing import Any, Dict, List, Sequence

from .adapter import DeviceUnavailable
from .cuda_library import LIBRARY, begin

WORDS = re.compile(r"cuda|nvidia|geforce|quadro|tensorrt|[rg]tx|tesla|jetson|tegra|dgx|cudnn|cublas")
"""What only NVIDIA's are called, wherever it stands in a word."""
OTHERS = re.compile(r"amd|radeon|rocm|intel|arm|mali|adreno|qualcomm|powervr|apple")
"""Whose a ``gpu`` is, where it is not NVIDIA's."""
PART = re.compile(r"[dev]?gpus?\d*|titan(?:v|xp?)?|orin|xavier|thor|hopper|blackwell|[2-5]0[5-9]0(?:ti|super|d)?")
MODEL = re.compile(
    r"(?:\d+x)?"
    r"(?:g?[bh][1-9]0[0-9]|h20|gb10|a[138]00|a[1-6]0g?|a2|a16|a[2456][05]00|l4|l[24]0s?|t4|g?[vp]100|[mp][46]0|k[248]0)"
    r"(?:[a-z]+\d?)?"
)
"""A model of NVIDIA's for servers or workstations, as a part of a word: ``H200``, ``8xA100-80GB``, ``h100sxm5``."""
OWN_WORD = "that %s is what computed is the word of %s"
"""What is noted of a device that nothing looks at."""
ELSEWHERE = "the adapter says that it runs on %s, and names a GPU of NVIDIA's in its facts: which of them computes?"
SAY_CUDA = "it is a word for a GPU of NVIDIA's that no driver can be asked for: say cuda:N"
NOT_HERE = "NVIDIA's driver is asked on Linux only, and this is %s"
LOAD_S = 30.0
"""How long the driver's library may take to load; the first program on a GPU may wait for seconds."""
_LOADED: Dict[str, str] = {}


def is_named(device: str) -> bool:
    """Whether the word is one for a GPU of NVIDIA's, however it is written."""
    word = _plain(device)
    parts = [part for part in re.split(r"[^a-z0-9]+", word) if part]
    others = bool(OTHERS.search(word))
    return bool(WORDS.search(word)) or any(
        MODEL.fullmatch(part) or (not others and PART.fullmatch(part)) for part in parts
    )


def is_cpu(device: str) -> bool:
    """Whether the word is one for a CPU: ``cpu``, ``cpu:1``."""
    return device.partition(":")[0] == "cpu"


def demand(device: str, gpu: Any = None) -> None:
    """DeviceUnavailable where a GPU of NVIDIA's is named that the driver has not, or by a word that it has not.

    ``gpu`` is the session's fact of that name (``records.GPU``): only who runs on ``cuda:N`` may name one.
    """
    if isinstance(gpu, dict) and not _plain(device).startswith("cuda"):
        raise DeviceUnavailable(ELSEWHERE % device)
    why = _missing(device, gpu) if is_named(device) else ""
    if why:
        raise DeviceUnavailable("the adapter says that it runs on %s, but %s" % (device, why))


def notes_of(device: str, notes: Sequence[str]) -> List[str]:
    """The session's own notes, and that a device which nothing here looks at is the adapter's own word."""
    looked_at = is_cpu(device) or is_named(device)
    told = any(note.startswith(OWN_WORD % (device, "")) for note in notes)
    return [*notes, *([] if looked_at or told else ["%s itself" % (OWN_WORD % (device, "the adapter"))])]


def without_driver(device: str) -> str:
    """Why the GPU that is named cannot be here; nothing where only the driver could tell, which is not asked.

    Its library is loaded in a process of its own, once: one that crashes or hangs is a sentence, too.
    """
    if not is_named(device):
        return ""
    why = _unasked(device)
    if why:
        return why
    if LIBRARY not in _LOADED:
        _LOADED[LIBRARY] = _loaded()
    return _LOADED[LIBRARY]


def _loaded() -> str:
    """Why the driver's library does not load; nothing where it does."""
    import subprocess  # here: a worker starts nothing

    lines = "import ctypes, os, sys\ntry: ctypes.CDLL(sys.argv[1])\nexcept OSError as error: print(error)\n"
    command = [sys.executable, "-I", "-S", "-c", lines + "sys.stdout.flush(); os._exit(0)", LIBRARY]
    pipes: Dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, timeout=LOAD_S, check=False, **pipes)
    except subprocess.TimeoutExpired:
        return "NVIDIA's driver did not load within %g s" % LOAD_S
    except OSError as error:
        return "NVIDIA's driver could not be looked for (%s)" % error
    if done.returncode:
        how = "signal %d" % -done.returncode if done.returncode < 0 else "code %d" % done.returncode
        return "NVIDIA's driver crashed when it was loaded (%s)" % how
    said = " ".join(done.stdout[:1000].decode(errors="replace").split())
    return "there is no NVIDIA driver here (%s)" % said if said else ""


def _unasked(device: str) -> str:
    """Why the driver cannot be asked for it; nothing where it can."""
    if not _plain(device).startswith("cuda"):
        return SAY_CUDA
    return "" if sys.platform == "linux" else NOT_HERE % sys.platform


def _missing(device: str, gpu: Any) -> str:
    """Why there is no such GPU, or none of the name that the session's fact gives it; nothing where there is."""
    why = _unasked(device)
    if why:
        return why
    try:
        driver, count, code = begin(LIBRARY)
    except (OSError, AttributeError) as error:
        return "there is no NVIDIA driver here (%s)" % error
    if code:
        return "NVIDIA's driver has no GPU (CUDA error %d)" % code
    kind, _, number = device.partition(":")
    number = number or "0"
    if kind.lower() != "cuda" or not number.isdecimal() or int(number) >= count:
        return "NVIDIA's driver has only cuda:0 to cuda:%d" % (count - 1)
    named, own = str(gpu.get("name") or "") if isinstance(gpu, dict) else "", _name(driver, int(number))
    other = named and own and named.partition(" MIG ")[0] != own.partition(" MIG ")[0]  # a part of it, or the whole
    return "calls it a %s, and NVIDIA's driver a %s" % (named[:80], own[:80]) if other else ""


def _name(driver: Any, number: int) -> str:
    """What the driver calls its GPU of that number; nothing where it does not say."""
    handle, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    try:
        refused = driver.cuDeviceGet(ctypes.byref(handle), number) or driver.cuDeviceGetName(name, len(name), handle)
    except AttributeError:
        return ""
    return "" if refused else name.value.decode(errors="replace")


def _plain(device: str) -> str:
    """The word as it looks: letters of other widths are the same to a reader."""
    return unicodedata.normalize("NFKC", device).lower()
