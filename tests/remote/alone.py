"""A backend that must be alone: a second one at the same time fails. The first waits until it may go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tests.reliability.faulty import Faulty

WAIT_S = 120.0


class Alone(Faulty):
    options: Mapping[str, str] = {"folder": "where to leave notes", "room": "which is for one"}
    taken = Path()

    def open(self, model, settings):  # type: ignore[no-untyped-def]
        room = Path(str(settings.extra["room"]))
        self.taken = room / "taken"
        self.taken.touch(exist_ok=False)
        until = time.monotonic() + WAIT_S
        while not (room / "go on").exists():
            if time.monotonic() > until:
                raise RuntimeError("nobody said to go on")
            time.sleep(0.01)
        return super().open(model, settings)

    def query(self) -> None:
        time.sleep(0.005)  # what takes so long the closure audit believes, also on a busy machine

    def closed(self) -> None:
        self.taken.unlink()
