"""What opening and leaving sessions, over and over, keeps of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import psutil

from bench.device.adapter import Query, Session
from tests.gpu.allocating import used_bytes


class Held(NamedTuple):
    """Bytes that are taken: of the whole GPU, and of the host by this process."""

    gpu_bytes: int
    host_bytes: int

    @classmethod
    def now(cls) -> Held:
        return cls(used_bytes(), int(psutil.Process().memory_info().rss))


def opened_and_left(opened: Callable[[], Session], asked: Query, held: Callable[[], Held], times: int) -> Held:
    """What is held more after so many sessions, each of which answered a query, than after a tenth of them.

    The first ones are what libraries keep for themselves.
    """
    for at in range(times):
        if at == times // 10:
            before = held()
        with opened() as session:
            session.read(session.run(session.stage(asked)))
    after = held()
    return Held(after.gpu_bytes - before.gpu_bytes, after.host_bytes - before.host_bytes)
