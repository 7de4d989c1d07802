"""What a job measures: its adapter, imported, and its model as the adapter wants it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import List

from .adapter import Adapter, DeviceUnavailable, ModelFiles, TensorSpec
from .declared import misdeclared
from .records import Job


def load_adapter(name: str) -> Adapter:
    """The adapter of ``module:Class``; DeviceUnavailable if it does not import, or declares nonsense."""
    module, _, cls = name.partition(":")
    try:
        adapter: Adapter = getattr(importlib.import_module(module), cls)()
    except (ImportError, AttributeError) as error:
        raise DeviceUnavailable("the adapter %s does not load: %s" % (name, error))
    wrong = misdeclared(adapter)
    if wrong:
        raise DeviceUnavailable("the adapter %s does not load: %s" % (name, wrong))
    return adapter


def shares_session(job: Job, adapter: Adapter) -> bool:
    """Whether one session answers for all workers: the adapter's serve several threads, and there is no state."""
    return adapter.concurrent_runs and not job.state


def model_files(job: Job) -> ModelFiles:
    """The job's model as the adapter wants it."""
    specs: List[List[TensorSpec]] = [
        [TensorSpec(tensor.name, tensor.dtype, tuple(tensor.shape)) for tensor in tensors]
        for tensors in (job.inputs, job.outputs)
    ]
    return ModelFiles(
        artifacts={kind: Path(path) for kind, path in job.artifacts.items()},
        inputs=tuple(specs[0]),
        outputs=tuple(specs[1]),
        state=job.state,
        dims=job.dims,
        factory=job.factory,
        code_dir=Path(job.code_dir) if job.code_dir else None,
    )
