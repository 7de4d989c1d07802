"""A diagnosis as JSON for other programs.

The document, version 1::

    {"format": "benchpact-doctor", "version": 1, "exit_code": 0|3,
     "machine":  {every field of Machine},
     "state":    {every field of State},
     "backends": [every field of Backend],
     "findings": [{"name", "severity": "ok"|"note"|"warn", "found", "why", "remedy"}],
     "gpus":     [every field of Gpu]}

Sizes are bytes, shares from 0 to 1, frequencies MHz; null: not told. A later version only adds keys; one
that changes a key's meaning has a higher ``version``.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from bench.doctor.diagnosis import Diagnosis, Severity, exit_code

VERSION = 1


def as_json(diagnosis: Diagnosis) -> str:
    """The document above, two spaces deep, ASCII only (other characters as ``\\uXXXX``)."""
    document = {"format": "benchpact-doctor", "version": VERSION, "exit_code": exit_code(diagnosis)}
    return json.dumps({**document, **_plain(asdict(diagnosis))}, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Severity):
        return value.value
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
