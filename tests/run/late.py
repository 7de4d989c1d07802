"""A backend that works for a while and then fails, in the midst of its measurement."""

from __future__ import annotations

import time

from tests.reliability.faulty import Faulty

WORKS_S = 6.0
"""Longer than a warm-up that never settles (3 s) and the audit after it, on a machine that does ten other things."""


class FailsLate(Faulty):
    def opened(self) -> None:
        self.until = time.monotonic() + WORKS_S

    def query(self) -> None:
        time.sleep(0.001)
        if time.monotonic() > self.until:
            raise RuntimeError("that was one query too many")
