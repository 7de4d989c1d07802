"""Where a program puts its outputs: memory that it shares with the worker, so that reading them asks nothing of it.

The first ``HEAD_BYTES`` are text that ends with a zero: a line ``tensor DTYPE BYTES RANK SIZES NAME`` an output. Their
bytes follow in that order, each output from the next multiple of ``ALIGNED`` on.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from math import prod
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from backends import staging
from bench.device.adapter import AdapterError, Arrays, ModelFiles, TensorSpec

HEAD_BYTES, ALIGNED = 4096, 64
UNTOLD_BYTES = 64 << 20
"""Room for each output whose size nothing tells beforehand; what is not written takes no memory."""


class _Place(NamedTuple):
    """Where one output lies."""

    dtype: Any
    shape: Tuple[int, ...]
    offset: int


class Outputs:
    """The shared memory. It has no name that could be left behind where the system has such files (Linux)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._named: Optional[Any] = None
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("benchpact outputs")
            self.path = "/proc/%d/fd/%d" % (os.getpid(), descriptor)
        else:
            self._named = tempfile.NamedTemporaryFile(prefix="benchpact-")  # noqa: SIM115 - closed by ``close``
            descriptor = os.dup(self._named.fileno())
            self.path = self._named.name
        self._descriptor = descriptor
        os.ftruncate(descriptor, size)
        self._memory = mmap.mmap(descriptor, size)
        self._known: Dict[bytes, Dict[str, _Place]] = {}

    def read(self, program: str, specs: Sequence[TensorSpec]) -> Arrays:
        """The outputs of the last run, as copies; AdapterError unless each is as it was declared."""
        head = self._memory[:HEAD_BYTES].partition(b"\0")[0]
        if head not in self._known:
            self._known = {head: _places(program, head, specs, self.size)}
        places = self._known[head]
        memory = self._memory
        return {
            name: np.frombuffer(memory, dtype, prod(shape), offset).reshape(shape).astype(dtype.newbyteorder("="))
            for name, (dtype, shape, offset) in places.items()
        }

    def close(self) -> None:
        self._known.clear()
        self._memory.close()
        os.close(self._descriptor)
        if self._named is not None:
            self._named.close()


def room_for(model: ModelFiles, sizes: Dict[str, int]) -> int:
    """Bytes that the outputs of a query of these sizes may take, with what stands before them."""
    shapes = {spec.name: staging.resolve(spec, sizes) for spec in model.outputs}
    total = HEAD_BYTES
    for spec in model.outputs:
        shape = shapes[spec.name]
        total += UNTOLD_BYTES if shape is None else _next(prod(shape) * np.dtype(spec.dtype).itemsize)
    return total


def _next(place: int) -> int:
    return (place + ALIGNED - 1) // ALIGNED * ALIGNED


def _places(program: str, head: bytes, specs: Sequence[TensorSpec], size: int) -> Dict[str, _Place]:
    wanted = {spec.name: spec for spec in specs}
    found: Dict[str, _Place] = {}
    offset = HEAD_BYTES
    for line in head.decode("utf-8", "replace").splitlines():
        name, dtype, shape, length = _told(line)
        if not name or offset + length > size:
            raise AdapterError(
                "%s describes an output by %r, not by `tensor DTYPE BYTES RANK SIZES NAME` within %d bytes"
                % (program, line[:80], size)
            )
        if name in wanted:
            found[name] = _fitting(program, wanted[name], dtype, shape, length)._replace(offset=offset)
        offset = _next(offset + length)
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise AdapterError("%s gives no output `%s`" % (program, missing[0]))
    return {spec.name: found[spec.name] for spec in specs}


def _fitting(program: str, spec: TensorSpec, dtype: str, shape: Tuple[int, ...], length: int) -> _Place:
    """The output's place, which is yet to be told; AdapterError unless it is as declared."""
    little = np.dtype(spec.dtype).newbyteorder("<")
    sizes = zip(spec.shape, shape)
    fits = len(shape) == len(spec.shape) and all(ours == theirs for ours, theirs in sizes if isinstance(ours, int))
    if not fits or dtype != spec.dtype or length != little.itemsize * prod(shape):
        said = (program, spec.name, dtype, list(shape), length, spec.dtype, list(spec.shape))
        raise AdapterError("%s gives output `%s` as %s %s of %d bytes; it is to be %s %s" % said)
    return _Place(little, shape, 0)


def _told(line: str) -> Tuple[str, str, Tuple[int, ...], int]:
    """(name, dtype, shape, bytes) of a tensor's line; no name where it is none."""
    words = line.split(None, 4)
    rank = int(words[3]) if len(words) > 3 and words[0] == "tensor" and words[3] in _RANKS else -1
    rest = line.split(None, 4 + rank) if rank >= 0 else []
    numbers: List[str] = [rest[2], *rest[4 : 4 + rank]] if len(rest) == 5 + rank else []
    if not numbers or not all(one.isascii() and one.isdigit() and len(one) < 16 for one in numbers):
        return "", "", (), 0
    return rest[4 + rank], rest[1], tuple(map(int, numbers[1:])), int(numbers[0])


_RANKS = tuple(str(rank) for rank in range(33))
