"""What a timed part costs beside time: energy, and the memory of a GPU. What finds it out is a meter."""

from __future__ import annotations

from types import TracebackType
from typing import Dict, List, NamedTuple, Optional, Type, TypeVar

M = TypeVar("M", bound="Meter")
NO_GPU = "this target does not run on a GPU"


class Metering(NamedTuple):
    """Energy (µJ) and memory (bytes) of the timed part; each with how it was found, or why it was not."""

    window_ns: int
    energy_uj: Optional[int]
    energy_by: str
    gpu_bytes: Optional[int]
    gpu_by: str


class Meter:
    """Looks from one moment to another. A context manager: nothing that it started is left behind.

    It is made before the warm-up, so that nothing is started near the timed part. It never raises: what cannot be
    found out is a reason.
    """

    ended = False
    """Whether a timed part was begun and is over."""

    def begin(self) -> None:
        """The timed part is about to begin."""

    def look(self) -> None:
        """Between two blocks."""

    def end(self) -> None:
        """The timed part is over."""
        self.ended = True

    def metering(self) -> Metering:
        """What it came to, once it is over."""
        raise NotImplementedError

    def facts(self) -> Dict[str, str]:
        """What the device was like meanwhile, by name."""
        return {}

    def notes(self) -> List[str]:
        """What a reader of the report must know."""
        return []

    def close(self) -> None:
        """Leave nothing behind; may be called twice."""

    def __enter__(self: M) -> M:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
