"""The GPU suite with every adapter secretly on the CPU, whose facts and clocks are a GPU's: none of it passes.

Those of its checks that a CPU would keep as well: what every adapter promises, right answers, nothing left behind. Not
that a driver in software is no GPU, which is said of all of it before (``tests/backends/test_gpu_suite.py``).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trt import secretly

FILES = [f"tests/gpu/test_{name}.py" for name in ("ort_cuda", "trt", "pytorch_on_cuda")]
CHOSEN = "HostResident or outputs_are or answered_with or thousand"


@pytest.mark.timeout(900)
def test_no_check_passes_whose_sessions_are_on_the_cpu(driver: Path, tmp_path: Path) -> None:
    words = ["-q", "-p", "no:cacheprovider", "-m", "gpu", "--tb=line", "-k", CHOSEN, *FILES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=secretly.ROOT, capture_output=True, text=True, timeout=800,
        check=False, env={**os.environ, **secretly.environment(tmp_path), "LD_LIBRARY_PATH": str(driver)},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    counts = re.search(r"^(\d+) failed, \d+ deselected, (\d+) errors in ", done.stdout, re.MULTILINE)
    assert counts, done.stdout[-3000:]  # none passed, none was skipped
    failed, errors = map(int, counts.groups())
    assert failed > 25 and errors > 55
    found_out = len(re.findall(r"^(?:E  |/).*NotOnGpu", done.stdout, re.MULTILINE))
    assert found_out >= errors + 15, done.stdout[-3000:]
