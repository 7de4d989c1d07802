"""The configurations of a sweep, and how they stand in a stored run: ``options["sweep"]`` of its ``run.json``.

A configuration is a target with a value for each axis. What it needs measured is shared where it can be: the
single-stream latency does not depend on the offline batch size, so all batch sizes of one target and thread
count share one case. ``parts`` names the targets, as the run knows them, whose cases are a configuration's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import ResultFileError
from bench.results import Json, RunInfo
from bench.sweep.axes import KINDS, Axis, Number, spelled

KEY = "sweep"


@dataclass(frozen=True)
class Configuration:
    """One target with a value for each axis that it has."""

    target: str
    values: Mapping[str, Number]
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """``ort-1 threads=2 batch=4``."""
        return named(self.target, self.values)

    def without(self, *axes: str) -> str:
        """Its name but for these axes: what it has in common with others."""
        return named(self.target, {name: value for name, value in self.values.items() if name not in axes})


def named(target: str, values: Mapping[str, Number]) -> str:
    """The target's name, then each value: unique in a sweep."""
    return " ".join([target, *(f"{name}={spelled(value)}" for name, value in values.items())])


def written(axes: Sequence[Axis], configurations: Sequence[Configuration]) -> dict[str, Json]:
    """What a run stores of its sweep."""
    rows: list[Json] = [
        {"target": one.target, "values": dict(one.values), "parts": list(one.parts)} for one in configurations
    ]
    return {"over": [axis.text for axis in axes], "configurations": rows}


def is_sweep(info: RunInfo) -> bool:
    """Whether the run was made by ``benchpact sweep``."""
    return KEY in info.options


def over(info: RunInfo) -> tuple[str, ...]:
    """What was written after ``--over``; ResultFileError where the file does not tell."""
    stored = info.options.get(KEY)
    words = stored.get("over") if isinstance(stored, dict) else None
    if not isinstance(words, list):
        raise _damaged(info)
    return tuple(str(word) for word in words)


def read(info: RunInfo) -> tuple[Configuration, ...]:
    """The sweep's configurations in their order; ResultFileError where they are not as ``written`` writes them."""
    stored = info.options.get(KEY)
    rows = stored.get("configurations") if isinstance(stored, dict) else None
    if not isinstance(rows, list):
        raise _damaged(info)
    return tuple(_read(row, info) for row in rows)


def _read(row: Json, info: RunInfo) -> Configuration:
    found = row if isinstance(row, dict) else {}
    target, values, parts = found.get("target"), found.get("values"), found.get("parts")
    if not isinstance(target, str) or not isinstance(values, dict) or not isinstance(parts, list):
        raise _damaged(info)
    numbers: dict[str, Number] = {}
    for name, value in values.items():
        if name not in KINDS or isinstance(value, bool) or not isinstance(value, int | float):
            raise _damaged(info)
        numbers[name] = value
    return Configuration(target, numbers, tuple(str(part) for part in parts))


def _damaged(info: RunInfo) -> ResultFileError:
    return ResultFileError(f"run {info.run}: its run.json does not tell the configurations of a sweep")
