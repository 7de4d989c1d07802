"""Where built engines are kept: a folder whose name is a hash of all that an engine depends on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Mapping

from backends import onnx_weights

CHUNK_BYTES = 1 << 20
SUFFIX = ".engine"
ENGINE = "*" + SUFFIX


def root() -> Path:
    """``BENCHPACT_CACHE``, else ``benchpact`` in the user's cache folder (XDG Base Directory Specification)."""
    own = os.environ.get("BENCHPACT_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "benchpact"
    return (Path(own) if own else base) / "engines"


def folder_for(model: Path, depends: Mapping[str, Any]) -> Path:
    """The engines' folder of this model under these options, versions and GPU, made where it is new.

    Any change of the model's bytes, those of its external data too, or of ``depends`` is another folder: no
    engine is ever taken for another's.
    """
    whole = hashlib.sha256(json.dumps(depends, sort_keys=True).encode())
    for file in (model, *sorted(onnx_weights.external_files(model))):
        whole.update(_digest(file))
    folder = root() / whole.hexdigest()[:32]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def has_engine(folder: Path) -> bool:
    """Whether an engine was built before."""
    return any(folder.glob(ENGINE))


def _digest(file: Path) -> bytes:
    found = hashlib.sha256()
    try:
        with file.open("rb") as source:
            while True:
                chunk = source.read(CHUNK_BYTES)
                if not chunk:
                    return found.digest()
                found.update(chunk)
    except OSError:
        return b"missing: the framework says so itself"
