"""What ONNX Runtime tells only a session of another kind: a process beside the worker asks it.

So it is in no phase's time, and not in the worker's memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Mapping

from backends import staging
from bench.device.adapter import AdapterError

BOOT = "import sys; sys.path[:] = sys.argv[2:]; from backends.%s import write; write(sys.argv[1])"
PATIENCE_S = 120


def write(boot: str, job: Mapping[str, object], sought: str) -> None:
    """Start Python on ``boot`` with the job as JSON and wait for it; AdapterError, ``sought`` in it, where it fails."""
    places = [str(Path(one).absolute()) for one in sys.path if one]
    try:
        subprocess.run(
            [sys.executable, "-c", boot, json.dumps(job), *places], check=True, timeout=PATIENCE_S,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        why = staging.one_line(Exception(said.splitlines()[-1] if said else str(error)))
        raise AdapterError("%s was not to be found: %s" % (sought, why))
