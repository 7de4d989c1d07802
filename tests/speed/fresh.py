"""What is measured in a fresh process of its own, where nothing was imported or allocated before."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def measured(module: str, *arguments: str) -> Any:
    """What ``python -m tests.speed.MODULE ARGUMENTS FILE`` writes to FILE as JSON; its output is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "figures.json"
        command = [sys.executable, "-m", f"tests.speed.{module}", *arguments, str(into)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(into.read_text(encoding="utf-8"))
