"""The backend that does nothing: what is measured on it is the harness."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from backends import options, staging
from bench.device.adapter import Arrays, Availability, ModelFiles, Query, Settings


class _Staged(NamedTuple):
    """The sizes a query fixes: all that is needed to make up outputs."""

    sizes: Dict[str, int]


class NullSession:
    """Takes any query of the declared inputs; answers zeros of the declared outputs."""

    def __init__(self, model: ModelFiles) -> None:
        self._model = model

    def stage(self, query: Query) -> _Staged:
        return _Staged(staging.sizes_of(self._model, query))

    def run(self, staged: Any) -> Any:
        return staged

    def read(self, outputs: _Staged) -> Arrays:
        """Zeros; a dimension whose size nothing tells is 1."""
        sizes = outputs.sizes
        return {
            spec.name: np.zeros(
                [size if isinstance(size, int) else sizes.get(size, 1) for size in spec.shape], spec.dtype
            )
            for spec in self._model.outputs
        }

    def facts(self) -> Mapping[str, object]:
        return {"device": "cpu", "precision": "none: nothing is computed", "threads": 1, "artifact": "none"}

    def __enter__(self) -> "NullSession":
        return self

    def __exit__(self, *_: Optional[object]) -> None:
        pass


class NullAdapter:
    """Does nothing with any model, or with none."""

    artifact_kinds: Tuple[str, ...] = ()
    options: Mapping[str, str] = {}
    packages: Tuple[str, ...] = ()
    concurrent_runs = True

    def probe(self) -> Availability:
        return Availability(True, devices=("cpu",))

    def open(self, model: ModelFiles, settings: Settings) -> NullSession:
        options.check_known(settings, self.options, ("cpu",))
        return NullSession(model)
