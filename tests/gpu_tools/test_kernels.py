"""The GPU suite's kernels are taken by NVIDIA's own assembler, for each kind of GPU that CUDA 13 knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.gpu.kernels import PTX
from tests.gpu_tools.environments import place

pytestmark = pytest.mark.gpu_tools
KINDS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")


def assembled(text: str, kind: str, folder: Path) -> str:
    """What the assembler complains of; nothing where it takes the text."""
    (ptxas,) = (place("ptxas") / "lib").glob("python*/site-packages/nvidia/*/bin/ptxas")
    source, made = folder / "kernels.ptx", folder / "kernels.cubin"
    source.write_text(text)
    done = subprocess.run([ptxas, f"-arch={kind}", source, "-o", made], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == made.is_file()
    return "" if done.returncode == 0 else done.stderr or done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_suites_kernels_are_taken(kind: str, tmp_path: Path) -> None:
    assert assembled(PTX, kind, tmp_path) == ""


def test_a_mistake_in_them_would_be_seen(tmp_path: Path) -> None:
    assert "again" in assembled(PTX.replace("again:", "begin:"), "sm_90", tmp_path)
