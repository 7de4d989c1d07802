"""A backend whose processes are quick and slow by turns: half of them keep a limit between the two."""

from __future__ import annotations

import time

from tests.reliability.faulty import Faulty

QUICK_S, SLOW_S = 0.001, 0.02


class Alternates(Faulty):
    def opened(self) -> None:
        turns = self.folder / "turns"
        with turns.open("ab") as file:
            file.write(b".")
        self.pause_s = QUICK_S if turns.stat().st_size % 2 else SLOW_S

    def query(self) -> None:
        time.sleep(self.pause_s)
