"""What ``benchpact device`` asks of a board's agent: to look at the board, to make an environment, to clear away."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

from . import cache, hardware, install
from .turns import Busy, alone


def tend(name: str, request: Dict[str, Any]) -> int:
    """Do one of ``look``, ``install``, ``clean``, ``probe`` and answer in one line of JSON; 0 unless refused."""
    if name == "probe":
        from . import probe

        return probe.main(str(request["adapter"]))
    place = cache.cache_folder()
    try:
        answer = {"look": _look, "install": _install, "clean": _clean}[name](request, place)
    except (Busy, cache.OutsideCache, OSError) as error:
        answer = {"error": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 1 if "error" in answer else 0


def _look(request: Dict[str, Any], _: Path) -> Dict[str, Any]:
    return hardware.facts([str(one) for one in request.get("packages", ())])


def _install(request: Dict[str, Any], place: Path) -> Dict[str, Any]:
    with alone(place):
        answer = install.answer(request, place)
        kept = [place / "files" / str(sha256) for sha256, _ in request["wheels"]]
        removed = cache.keep_within(place, int(request.get("quota_bytes", cache.QUOTA_BYTES)), keep=kept)
        return dict(answer, removed=len(removed))


def _clean(_: Dict[str, Any], place: Path) -> Dict[str, Any]:
    if not place.is_dir():
        return {"freed_bytes": 0, "place": str(place)}
    with alone(place):
        return {"freed_bytes": cache.clean(place), "place": str(place)}
