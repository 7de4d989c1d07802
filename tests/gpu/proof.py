"""Whether what calls itself ``cuda:0`` is a GPU: it runs a kernel. What stands in for a driver in tests runs none.

``python -m tests.gpu.proof`` prints one line: nothing more where the GPU computed rightly, else why it is none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from backends.cuda_driver import Buffer, Context, Stream
from tests.gpu.kernels import Kernels, mixed

BLOCKS, THREADS = 256, 256
PROVEN = "proven"
TIMEOUT_S = 120.0
"""The first start of a driver, and its compiler's, take seconds."""
ROOT = Path(__file__).parents[2]


def why_not(timeout_s: float = TIMEOUT_S) -> str:
    """Nothing where ``cuda:0`` ran a kernel, and rightly; else the reason. A driver that crashes is one, too."""
    command = [sys.executable, "-m", "tests.gpu.proof"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return f"its kernel did not end within {timeout_s:g} s"
    said = done.stdout.strip()
    if done.returncode or not said:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return f"running a kernel ended with code {done.returncode}: {last[:300]}"
    return "" if said == PROVEN else said


def tried() -> str:
    """The same, in this process; CudaError, or what the bindings raise, where the driver has no such call."""
    context, stream = Context(0), Stream()
    numbers = np.frombuffer(os.urandom(4 * BLOCKS * THREADS), np.uint32)
    found = np.zeros_like(numbers)
    place = Buffer(numbers.nbytes)
    stream.copy_in(place.address, numbers.ctypes.data, numbers.nbytes)
    Kernels().launch("mix", BLOCKS, THREADS, stream.handle, place.address)
    stream.copy_out(found.ctypes.data, place.address, found.nbytes)
    stream.wait()
    wrong = int(np.count_nonzero(found != mixed(numbers)))
    place.close()
    stream.close()
    context.close()
    return f"{wrong} of {len(numbers)} numbers that its kernel computed are wrong" if wrong else ""


if __name__ == "__main__":
    print(tried() or PROVEN, flush=True)
    os._exit(0)  # past the driver's own shutdown
