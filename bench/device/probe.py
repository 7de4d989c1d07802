"""Probe one backend in a process of its own, so that one that crashes or hangs takes nothing else down.

``python -m bench.device.probe module:Class`` writes two JSON lines on what was its standard output: first
what the adapter is, then what its ``probe`` answered. A probe that dies has still said the first. Whatever
went wrong is on standard error with its traceback.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import traceback
from typing import Any, BinaryIO, Mapping


def main(name: str) -> int:
    """Probe the adapter ``module:Class``; 0 if both lines were written."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    faulthandler.enable()
    from .channel import die_with_parent
    from .subject import load_adapter

    die_with_parent()
    try:
        adapter = load_adapter(name)
        about = about_adapter(adapter)
    except Exception as error:  # noqa: BLE001 - whatever a third party's module raises is the answer
        traceback.print_exc()
        _say(channel, {"packages": (), "artifact_kinds": (), "options": {}})
        _say(channel, _refused(str(error) or repr(error)))
        return 0
    _say(channel, about)
    _say(channel, answer(adapter))
    return 0


def about_adapter(adapter: Any) -> Mapping[str, Any]:
    """What the adapter says of itself, as plain values; AttributeError or TypeError if it does not."""
    return {
        "packages": [str(package) for package in adapter.packages],
        "artifact_kinds": [str(kind) for kind in adapter.artifact_kinds],
        "options": {str(name): str(help_text) for name, help_text in adapter.options.items()},
    }


def answer(adapter: Any) -> Mapping[str, Any]:
    """What the adapter's ``probe`` says, as plain values; one that raises, which none may, is not usable."""
    try:
        found = adapter.probe()
        return {
            "usable": bool(found.usable),
            "versions": {str(name): str(version) for name, version in found.versions.items()},
            "devices": [str(device) for device in found.devices],
            "reason": str(found.reason),
            "remedy": str(found.remedy),
        }
    except (Exception, SystemExit) as error:  # noqa: BLE001 - that the adapter broke its promise is the answer
        traceback.print_exc()
        return _refused("its probe raised %s: %s" % (type(error).__name__, error))


def _refused(reason: str) -> Mapping[str, Any]:
    return {"usable": False, "versions": {}, "devices": [], "reason": reason, "remedy": ""}


def _say(channel: BinaryIO, fields: Mapping[str, Any]) -> None:
    channel.write(json.dumps(fields).encode("ascii") + b"\n")
    channel.flush()


if __name__ == "__main__":
    # Past the interpreter's own shutdown: some frameworks crash there, and everything said is flushed.
    os._exit(main(sys.argv[1]))
