"""The backend that does nothing: what is measured on it is the harness."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Tuple

import numpy as np

from backends import options, staging
from bench.device.adapter import Arrays, Availability, ModelFiles, Query, Settings
from bench.device.declared import Declared

_Sizes = Tuple[Tuple[str, int], ...]
"""What a query fixes: all that is needed to make up outputs."""


class NullSession:
    """Takes any query of the declared inputs; answers zeros of the declared outputs."""

    run: Callable[[Any], Any] = tuple
    """A tuple's tuple is itself: nearly the cheapest call there is, so that what is timed is the loop alone."""

    def __init__(self, model: ModelFiles) -> None:
        self._model = model

    def stage(self, query: Query) -> _Sizes:
        return tuple(staging.sizes_of(self._model, query).items())

    def read(self, outputs: _Sizes) -> Arrays:
        """Zeros; a dimension whose size nothing tells is 1."""
        sizes = dict(outputs)
        return {
            spec.name: np.zeros(
                [size if isinstance(size, int) else sizes.get(size, 1) for size in spec.shape], spec.dtype
            )
            for spec in self._model.outputs
        }

    def facts(self) -> Mapping[str, object]:
        said = {"device": "cpu", "precision": "none: nothing is computed", "threads": 1, "artifact": "none"}
        return {**said, "computes": False}

    def __enter__(self) -> "NullSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        pass


class NullAdapter:
    """Does nothing with any model, or with none."""

    artifact_kinds: Tuple[str, ...] = ()
    options: Mapping[str, Declared] = {}
    devices: Tuple[str, ...] = ("cpu",)
    packages: Tuple[str, ...] = ()
    concurrent_runs = True

    def probe(self) -> Availability:
        return Availability(True, devices=("cpu",))

    def open(self, model: ModelFiles, settings: Settings) -> NullSession:
        options.check_known(settings, self.options, self.devices)
        return NullSession(model)
