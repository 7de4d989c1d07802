"""Wheels for the emulated board's Python, downloaded once: what a person's host would ship to theirs."""

from __future__ import annotations

import compileall
import fcntl
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.board import boards

# The board is Debian 12: Python 3.11, glibc 2.36.
PYTHON = "311"
PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))
REQUIREMENTS = ("numpy==2.4.6", "onnxruntime==1.32.0", "ai-edge-litert==2.3.0")
DOWNLOAD_TIMEOUT_S = 600.0
ENVIRONMENT = "/opt/faults"
INTERPRETER = f"{ENVIRONMENT}/bin/python"
"""A Python with numpy on the board, out of any test's way: no `python3` there finds it."""


class WheelsUnavailable(Exception):
    """pip reaches no index that has them; the message is pip's last line."""


def wheelhouse(requirements: tuple[str, ...] = REQUIREMENTS) -> Path:
    """A folder of aarch64 wheels: the requirements and all they need.

    What was asked for is in the folder's name, so that it is downloaded once. Raises WheelsUnavailable.
    """
    asked = [f"--platform={platform}" for platform in PLATFORMS] + [f"--python-version={PYTHON}", *requirements]
    key = hashlib.sha256("\n".join(asked).encode()).hexdigest()[:12]
    whole = boards.cache() / f"wheels-{key}"
    whole.parent.mkdir(parents=True, exist_ok=True)
    with (whole.parent / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test run may want the same ones at the same time
        if not whole.exists():
            _download(asked, whole)
    return whole


def with_numpy(wheelhouse: Path) -> Path:
    """A folder whose files, on a board's disk, are the environment of ``INTERPRETER``; made once.

    With bytecode, as pip leaves it, where this Python is of the board's version: the board's users may not write there.
    """
    (wheel,) = wheelhouse.glob("numpy-*.whl")
    tree = wheelhouse.with_name(f"{wheelhouse.name}-numpy-{sys.implementation.cache_tag}")
    with (wheelhouse.parent / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            part = tree.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            place = part / ENVIRONMENT.lstrip("/")
            (place / "bin").mkdir(parents=True)
            (place / "bin" / "python").symlink_to("/usr/bin/python3")
            (place / "pyvenv.cfg").write_text("home = /usr/bin\n")
            with zipfile.ZipFile(wheel) as packed:
                names = [name for name in packed.namelist() if "/tests/" not in name]
                packed.extractall(place / "lib" / "python3.11" / "site-packages", names)
            if sys.implementation.cache_tag == f"cpython-{PYTHON}":
                compileall.compile_dir(place / "lib", quiet=2, stripdir=part, prependdir="/")
            part.rename(tree)
    return tree


def _download(asked: list[str], whole: Path) -> None:
    part = whole.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command = [*pip, "--only-binary=:all:", "--implementation=cp", f"--dest={part}", *asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        raise WheelsUnavailable(lines[-1])
    part.rename(whole)
