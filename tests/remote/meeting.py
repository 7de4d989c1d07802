"""A backend that goes on only once another one is there too: two of them end only if they work side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from tests.reliability.faulty import Faulty

WAIT_S = 90.0


class Meets(Faulty):
    options: Mapping[str, str] = {"folder": "where to leave notes", "meet": "where to meet"}

    def open(self, model, settings):  # type: ignore[no-untyped-def]
        place = Path(str(settings.extra["meet"]))
        (place / str(os.getpid())).touch()
        until = time.monotonic() + WAIT_S
        while len(list(place.iterdir())) < 2:
            if time.monotonic() > until:
                raise RuntimeError("nobody else came")
            time.sleep(0.01)
        return super().open(model, settings)
