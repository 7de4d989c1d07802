"""Engines kept on disk between processes, each with a record that tells whether it is whole."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Mapping, NamedTuple, Optional

from backends import engine_cache
from backends.trt_build import Built
from backends.trt_options import Shapes

TIMINGS = "timings.cache"


class Kept(NamedTuple):
    """An engine that was built before, and how long that took."""

    plan: bytes
    build_ns: int


def find(folder: Path, shapes: Mapping[str, Shapes]) -> Optional[Kept]:
    """The engine for these shapes; None where there is none, or where it is not the one that was written."""
    path = _path(folder, shapes)
    try:
        record = json.loads(path.with_suffix(".json").read_text())
        plan = path.read_bytes()
        kept = Kept(plan, int(record["build_ns"]))
        return kept if record["sha256"] == hashlib.sha256(plan).hexdigest() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(folder: Path, shapes: Mapping[str, Shapes], built: Built) -> None:
    """Write it for the next process. The record comes last: without it, the engine is not there."""
    path = _path(folder, shapes)
    record = {"sha256": hashlib.sha256(built.plan).hexdigest(), "build_ns": built.build_ns}
    _write(path, built.plan)
    _write(folder / TIMINGS, built.timings)
    _write(path.with_suffix(".json"), json.dumps(record).encode())


def timings(folder: Path) -> bytes:
    """What earlier builds of this model learned of kernels' speed; empty where there were none."""
    try:
        return (folder / TIMINGS).read_bytes()
    except OSError:
        return b""


def _path(folder: Path, shapes: Mapping[str, Shapes]) -> Path:
    told = json.dumps(shapes, sort_keys=True).encode()
    return folder / (hashlib.sha256(told).hexdigest()[:16] + engine_cache.SUFFIX)


def _write(path: Path, data: bytes) -> None:
    """Under its name only when it is whole: two processes may write the same at once."""
    beside = path.with_name("%s.%d" % (path.name, os.getpid()))
    beside.write_bytes(data)
    beside.replace(path)
