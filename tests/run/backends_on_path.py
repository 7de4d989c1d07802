"""Backends of the tests' own, found the way a third party's are: by an entry point of an installed distribution."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def offer(folder: Path, backends: Mapping[str, str]) -> dict[str, str]:
    """An environment in which a distribution in ``folder`` offers ``backends`` (name -> ``module:Class``)."""
    info = folder / "offered-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    lines = "".join(f"{name} = {entry}\n" for name, entry in backends.items())
    (info / "entry_points.txt").write_text(f"[benchpact.backends]\n{lines}")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "NO_COLOR": "1"}
