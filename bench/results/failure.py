"""Why a process run, or a whole case, gave nothing."""

from __future__ import annotations

from dataclasses import dataclass

REFUSALS = ("ModelRejected", "DeviceUnavailable", "SamplesRejected", "OutputsRejected", "AdapterError", "BudgetSpent")
"""What a worker says on purpose, in whole sentences: the next process of the same case would only repeat it."""
UNREACHED = ("HostUnreachable", "HostBusy")
"""Failures of the way to a host or its turn: they say nothing of the model, and `--resume` measures again."""


@dataclass(frozen=True)
class Failure:
    """Why a process run gave no measurement, or not a whole one."""

    error: str
    """The class of error: WorkerCrashed, WorkerTimeout, ModelRejected, MeasurementInvalid …"""
    message: str
    phase: str | None = None
    signal: str | None = None
    """``SIGSEGV`` … where a signal ended the worker."""
    exit_code: int | None = None
    stderr: tuple[str, ...] = ()
    """The last lines the worker wrote."""

    @property
    def refused(self) -> bool:
        """Whether it was refused for a reason that the message states in full, and nothing broke."""
        return self.error in REFUSALS
