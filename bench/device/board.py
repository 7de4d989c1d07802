"""The board's side of a launch over SSH: ``python3 agent.pyz COMMAND``, the request one line of JSON on its input.

``files`` is a talk, a line of JSON for each request: ``have`` says which files are there whole, ``put`` takes the
missing ones. ``work`` is one that ends by running a worker: one start of Python for it all, which a small board is slow
at. ``look``, ``probe``, ``install`` and ``clean`` are what ``benchpact device`` does (``tending``). Only the folder
``benchpact`` in the user's cache is written. Standard library only, and little of it: ``work`` waits beside the worker.
"""

from __future__ import annotations

import json
import os
import sys

from .turns import hold

TYPE_CHECKING = False
if TYPE_CHECKING:  # an agent's start is all imports, and of these `typing` would be the dearest
    from typing import Any, Dict, NoReturn, Optional

MOST_BYTES = 16 << 20


def run() -> NoReturn:
    """The agent's whole life."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name != "worker":  # which has a parent
        hold(sys.argv[0])
    if name in ("worker", "probe"):
        _keep_frameworks_within()
    if name == "worker":
        from .guard import run as be_worker

        be_worker()
    if name in ("look", "install", "probe", "clean"):
        from .tending import tend

        sys.exit(tend(name, request() or {}))
    os._exit(talk())  # every answer was flushed; the interpreter's own end takes a small board long


def talk() -> int:
    """Answer each request until one of them is for a worker, one is refused or there are no more; the exit code."""
    while True:
        asked = request()
        if asked is None:
            return 0
        name = str(asked.pop("do", ""))
        if name == "work":
            from .shift import work

            return work(asked)
        if files(name, asked):
            return 1


def files(name: str, asked: Dict[str, Any]) -> int:
    """``have`` or ``put``: answered in one line of JSON; 0 unless it was refused, which the answer says."""
    from .shipped import Refused, have, put

    commands = {"have": have, "put": put}
    try:
        if name not in commands:
            raise Refused("this agent has no command `%s`" % name)
        _answer(commands[name](asked))
    except Refused as error:
        _answer(dict(error.more, error=str(error)))
        return 1
    return 0


def _keep_frameworks_within() -> None:
    """What a framework caches goes into our folder too, and with it: ONNX Runtime keeps a database at home."""
    from .place import cache_folder

    os.environ["XDG_CACHE_HOME"] = os.path.join(cache_folder(), "frameworks")


def request() -> Optional[Dict[str, Any]]:
    """The next line of standard input, and not a byte of what follows it; None at its end."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte and not line:
            return None
        if not byte or len(line) > MOST_BYTES:
            sys.exit("the request is not whole")
        line += byte
    asked = json.loads(line)
    if not isinstance(asked, dict):
        sys.exit("the request is no object")
    return asked


def _answer(fields: Dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
