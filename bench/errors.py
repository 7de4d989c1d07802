"""Everything that can go wrong, as one tree.

Every message says what went wrong, where, and what to do next: it is shown to a person as it stands.
"""

from __future__ import annotations

INTERRUPTED = 130
"""The exit code after Ctrl-C, as of any program that SIGINT ended."""


class BenchError(Exception):
    """Base of every error this project raises on purpose."""


class ContractError(BenchError):
    """The input is wrong: a contract, a targets file, an option, a named file. Exit code 2."""


class BackendNotFound(ContractError):
    """No installed package offers a backend of that name."""


class LaunchError(BenchError):
    """A worker could not be started, or did not finish."""


class HostUnreachable(LaunchError):
    """The host that should run the worker does not answer."""


class WorkerCrashed(LaunchError):
    """The worker's process ended before it said so."""


class WorkerTimeout(LaunchError):
    """The worker did not finish by its deadline."""


class ProtocolError(LaunchError):
    """The worker said something that is not in the protocol."""


class MeasurementInvalid(BenchError):
    """Numbers were taken, but something shows that they do not mean what they seem to mean."""


class ResultFileError(BenchError):
    """A stored result cannot be read or written."""


class ResultsRefused(ResultFileError, ContractError):
    """The folder that was named for results can hold none: the input is wrong, and nothing was measured."""


class RunNotFound(ResultFileError, ContractError):
    """The run that was named is not there: the input is wrong."""
