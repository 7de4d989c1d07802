"""Timings of real processes in one compressed file: written by ``tests.speed.recording``, read as a population."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import typed_json
from bench.results import ProcessRun
from tests.judge.populations import Population

MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Recorded:
    """What stands beside the timings: what was recorded, when (ISO 8601, UTC), and each process's record."""

    name: str
    at: str
    runs: tuple[ProcessRun, ...]


def write(path: Path, at: str, population: Population) -> None:
    """All processes with as many calls each; ValueError where they differ, or a timing is above 4.29 s.

    Of a process's record, what tells of the machine and its software is left out: no verdict is made of it.
    """
    timings = np.stack(population.timings)
    if timings.max() >= 1 << 32:
        raise ValueError(f"a timing of {timings.max()} ns")
    runs = tuple(replace(one, machine={}, facts={}, versions={}, notes=()) for one in population.runs)
    text = typed_json.dumps(Recorded(population.name, at, runs))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{path.name}")
    np.savez_compressed(part, timings=timings.astype(np.uint32), record=np.frombuffer(text, np.uint8))
    part.replace(path)


def read(path: Path) -> tuple[Population, str]:
    """The population, and when it was recorded."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} is too large for a recording")
    with np.load(path, allow_pickle=False) as held:
        timings, text = held["timings"].astype(np.uint64), held["record"].tobytes()
    record = typed_json.read(Recorded, typed_json.parse(text))
    return Population(record.name, record.runs, tuple(timings)), record.at
