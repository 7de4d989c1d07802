"""Every sample once, in order, and what the model answers: what accuracy is computed from, on the host."""

from __future__ import annotations

from typing import Any, Callable, List

import numpy as np

from . import records
from .adapter import Arrays, Session
from .channel import Channel
from .library import SampleLibrary
from .outputs import NanCount, carried
from .records import Job

OUTPUT_CHUNK_BYTES = 8 << 20
Check = Callable[[Arrays, int], None]
"""Raises where the outputs of so many samples are not as declared."""


def send_answers(job: Job, session: Session, library: SampleLibrary, check: Check, channel: Channel) -> List[str]:
    """Through the session that was measured; each output in pieces as they come. What is to be noted of them."""
    advance, reset = getattr(session, "advance", None), getattr(session, "reset", None)
    if reset is not None:
        reset()
    step = library.group if job.batch_dim is None else max(1, job.batch)
    nan, silent = NanCount(), carried([tensor.name for tensor in job.outputs], job.state)
    for first in range(0, library.count, step):
        samples = min(step, library.count - first) if job.batch_dim else step
        outputs = session.run(session.stage(library.query(first, samples)))
        arrays = session.read(outputs)
        check(arrays, samples)
        nan.add(arrays, samples)
        for name, array in arrays.items():
            if name not in silent:
                _send_array(channel, name, first, np.ascontiguousarray(array))
        if advance is not None:
            advance(outputs)
    return nan.notes("validation samples")


def _send_array(channel: Channel, name: str, first: int, array: Any) -> None:
    data = memoryview(array.reshape(-1).view(np.uint8)) if array.size else memoryview(b"")
    head = {"name": name, "dtype": array.dtype.str, "shape": list(array.shape), "first": first, "bytes": len(data)}
    for at in range(0, max(1, len(data)), OUTPUT_CHUNK_BYTES):
        channel.send(records.OUTPUT, dict(head, at=at), bytes(data[at : at + OUTPUT_CHUNK_BYTES]))
