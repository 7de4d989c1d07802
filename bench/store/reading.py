"""Runs read back from disk: found by name, and refused with one clear error where they are not as written.

Nothing is unpickled, no more is read than ``MAX_JSON_BYTES``, every type is checked, and no name that
stands in a file leads out of the run's folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench import typed_json
from bench.errors import ResultFileError, RunNotFound
from bench.results import LAYOUT, CaseResult, RunInfo, StoredRun
from bench.store import timings_file
from bench.store.regular_file import IRREGULAR, is_regular, open_to_read, refuse_links
from bench.store.whole_file import TEMPORARY

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

MAX_JSON_BYTES = 64 << 20
LATEST = "latest"
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def open_run(run: str | Path, results: Path) -> StoredRun:
    """The run as it is stored: a run id, its unique beginning or ``latest`` in ``results``, or a path."""
    path = find(run, results)
    info = read_info(path)
    cases = read_cases(path, info)
    return StoredRun(info, tuple(cases.values()), tuple(case for case in info.cases if case not in cases))


def find(run: str | Path, results: Path) -> Path:
    """The folder of a run named as for ``open_run``; RunNotFound with what there is where there is none."""
    named = Path(run).parent if Path(run).name == "run.json" else Path(run)
    for path in (named,) if isinstance(run, Path) or os.sep in run else (results / run, named):
        if os.path.lexists(path / "run.json"):  # whatever it is: reading it says what is wrong with it
            return path
    if isinstance(run, Path) or os.sep in run:
        raise RunNotFound(f"{run} is no run: there is no {named / 'run.json'}")
    runs = names(results)
    if not runs:
        raise RunNotFound(f"there is no run in {results}: name the folder with --results, or the run's own path")
    found = runs[-1:] if run == LATEST else [name for name in runs if run and name.startswith(run)]
    if len(found) == 1:
        return results / found[0]
    what = f"{len(found)} runs begin with `{run}`" if found else f"there is no run `{run}`"
    raise RunNotFound(f"{what} in {results}; the last ones: {', '.join((found or runs)[-5:])}")


def names(results: Path) -> list[str]:
    """The ids of the runs in ``results``, the oldest first."""
    return sorted(path.parent.name for path in results.glob("*/run.json") if is_regular(path))


def load_timings(path_of_run: Path, name: str) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A process run's latencies (ns) in order of issue, memory-mapped and read-only."""
    return timings_file.load(file_of(path_of_run, name))


def read_info(path: Path) -> RunInfo:
    """What ``run.json`` says; ResultFileError where it cannot be read or is of a newer layout."""
    info = _read_json(path / "run.json", RunInfo)
    for name in (info.run, *info.cases):
        safe_name(name, f"{path / 'run.json'}: ")
    return info


def read_cases(path: Path, info: RunInfo) -> dict[str, CaseResult]:
    """Every case of the plan that has a file, by id, in order."""
    cases = {}
    refuse_links(path / "cases")
    for name in info.cases:
        file = path / "cases" / f"{name}.json"
        if not os.path.lexists(file):
            continue
        case = _read_json(file, CaseResult)
        if case.case != name:
            raise ResultFileError(f"{file}: it holds the case `{case.case[:80]}`; remove it to measure the case again")
        try:
            check_names(case)
        except ValueError as error:
            raise ResultFileError(f"{file}: {error}") from error
        cases[name] = case
    return cases


def check_names(case: CaseResult) -> None:
    """Every file a process run names is its own, so no name leads anywhere else."""
    for run in case.process_runs:
        for name, ending in ((run.timings, "npy"), (run.outputs, "outputs.npz")):
            own = f"{case.case}.{run.index}.{ending}"
            if name not in (None, own):
                raise ValueError(f"process run {run.index} names the file {name!r:.80}; its own would be `{own}`")


def _read_json(path: Path, kind: type[T]) -> T:
    try:
        with open_to_read(path) as file:
            text = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ResultFileError(f"cannot read {path}: {error.strerror}") from error
    if len(text) > MAX_JSON_BYTES:
        raise ResultFileError(f"{path}: it has more than {MAX_JSON_BYTES} bytes, so this program did not write it")
    try:
        value = typed_json.parse(text)
        if kind is RunInfo:
            _check_layout(path, value)
        return typed_json.read(kind, value)
    except ValueError as error:
        more = "" if kind is RunInfo else "; remove it to measure the case again"
        raise ResultFileError(f"{path}: {error}; the file was changed or damaged after it was written{more}") from error


def _check_layout(path: Path, value: Any) -> None:
    """Before anything else is read: what a newer layout means by its fields is not known here."""
    layout = value.get("layout") if isinstance(value, dict) else None
    if not isinstance(layout, int) or isinstance(layout, bool) or layout < 1:
        raise ValueError("it has no layout number")
    if layout > LAYOUT:
        raise ResultFileError(
            f"{path}: a newer benchpact wrote this run: its layout is {layout}, and {LAYOUT} is the newest that this "
            "one reads. Update benchpact"
        )


def safe_name(name: str, where: str = "") -> str:
    """The name, if it is one that can stand in a path as it is; ResultFileError, after ``where``, if not."""
    if not _SAFE_NAME.fullmatch(name) or name.endswith(TEMPORARY):
        raise ResultFileError(f"{where}{name!r:.80} is no name for a file: letters, digits, `.`, `_` and `-` are")
    return name


def file_of(run: Path, name: str) -> Path:
    """The file of that name among the run's cases; ResultFileError for one that lies, or leads, elsewhere."""
    path = run / "cases" / safe_name(name, f"{run}: ")
    refuse_links(path.parent)
    if not os.path.lexists(path):
        raise ResultFileError(f"{path}: there is no such file; remove its case's .json to measure the case again")
    if not is_regular(path):
        raise ResultFileError(f"cannot open {path}: {IRREGULAR}")
    return path
