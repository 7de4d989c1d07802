"""Results on disk, and their layout; ``reading`` reads them back.

::

    results/<run id>/run.json                      RunInfo, with the layout's version
                     lock                          held while a process writes to the run
                     cases/<case>.json             CaseResult; written last, so its files are there
                           <case>.<index>.npy      raw timings of a process run, uint64, ns
                           <case>.<index>.outputs.npz   its outputs over all samples

Everything is written to a ``.tmp`` name in its own folder, synced and renamed: whatever happens, a file
under a final name is whole. Nothing is ever unpickled, and no name read from a file leads out of the run.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from bench import typed_json
from bench.errors import ResultFileError, ResultsRefused
from bench.results import CaseResult, RunInfo
from bench.store.reading import (
    MAX_JSON_BYTES,
    check_names,
    file_of,
    find,
    load_timings,
    open_run,
    read_cases,
    read_info,
    safe_name,
)
from bench.store.regular_file import refuse_links
from bench.store.run_lock import RunLock
from bench.store.timings_file import TimingsWriter
from bench.store.whole_file import TEMPORARY, sync_folder, write_whole

if TYPE_CHECKING:
    import numpy as np

__all__ = ["RunStore", "TimingsWriter", "create", "find", "load_timings", "new_run_id", "open_run", "reopen"]

MAX_OUTPUT_BYTES = 8 << 30
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Why a folder cannot be made that another time, or another day, could be."""


def new_run_id(now: datetime | None = None) -> str:
    """A name for a run that sorts by time and is nobody else's: ``20260131-235959-123-0af3``, UTC."""
    now = now or datetime.now(timezone.utc)
    return f"{now.astimezone(timezone.utc):%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def create(results: Path, info: RunInfo) -> RunStore:
    """Begin a run: its folder in ``results`` (made where missing) and its ``run.json``.

    Raises ResultsRefused where a run of that id exists or the folder is none that could hold it; ResultFileError where
    only the machine has no room for it.
    """
    path = results / safe_name(info.run)
    try:
        results.mkdir(parents=True, exist_ok=True)
        path.mkdir()
        (path / "cases").mkdir()
    except FileExistsError as error:
        is_what = "exists already" if Path(error.filename).is_dir() else "is there, and is not a folder"
        raise ResultsRefused(f"{error.filename} {is_what}: choose another folder with --results") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise ResultFileError(f"cannot make {error.filename}: {error.strerror}") from error
        message = f"cannot make the folder {error.filename}: {error.strerror}: choose another with --results"
        raise ResultsRefused(message) from error
    try:
        lock = RunLock(path)
        _write_json(path / "run.json", info, "no run was begun")
        sync_folder(results)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)  # a folder made a moment ago, without a run.json
        raise
    return RunStore(path, info, lock)


def reopen(results: Path, run: str) -> RunStore:
    """A run to go on with: locked against a second process, and rid of what an interruption left behind.

    Raises ResultFileError where there is none, it cannot be read, or another process holds it.
    """
    path = find(run, results)
    refuse_links(path, path / "cases")
    store = RunStore(path, read_info(path), RunLock(path))
    store.clean()
    return store


class RunStore:
    """A run that this process writes to. ``path`` is its folder; ``close`` lets others have it."""

    def __init__(self, path: Path, info: RunInfo, lock: RunLock) -> None:
        self.path = path
        self.info = info
        self._lock = lock

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back; the process's end does too."""
        self._lock.release()

    def finished(self) -> dict[str, CaseResult]:
        """Every case that is stored, by id, in the plan's order; ResultFileError for one that is damaged."""
        return read_cases(self.path, self.info)

    def timings_writer(self, case_id: str, index: int) -> TimingsWriter:
        """Where the timings of a process run go while they come."""
        return TimingsWriter(self.path / "cases" / f"{safe_name(case_id)}.{index}.npy", self._what_is_safe())

    def save_outputs(self, case_id: str, index: int, arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
        """Store a process run's outputs; the file's name, for ``ProcessRun.outputs``."""
        import numpy as np

        def write(file: IO[bytes]) -> None:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as members:
                for output, array in arrays.items():
                    # Outputs are often named like paths; a member of a zip had better not be.
                    with members.open(quote(output, safe="") + ".npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)

        name = f"{safe_name(case_id)}.{index}.outputs.npz"
        write_whole(self.path / "cases" / name, write, self._what_is_safe())
        return name

    def load_outputs(self, name: str) -> dict[str, np.ndarray[Any, Any]]:
        """The outputs of a file of ``save_outputs``, by name."""
        from bench.device.safe_arrays import read_npz

        path = file_of(self.path, name)
        try:
            return {unquote(output): array for output, array in read_npz(path, MAX_OUTPUT_BYTES).items()}
        except (OSError, ValueError) as error:
            raise ResultFileError(f"{path}: the outputs cannot be read: {error}") from error

    def save(self, case: CaseResult) -> None:
        """Store a case, whose files must be there already. From here on it is finished."""
        if case.case not in self.info.cases:
            raise ValueError(f"the run has no case `{case.case}`")
        check_names(case)
        _write_json(self.path / "cases" / f"{case.case}.json", case, self._what_is_safe())

    def clean(self) -> None:
        """Remove what an interruption left behind: temporary files, and the files of unfinished cases."""
        folder = self.path / "cases"
        refuse_links(self.path, folder)
        unfinished = [case for case in self.info.cases if not os.path.lexists(folder / f"{case}.json")]
        own = re.compile(rf"({'|'.join(map(re.escape, unfinished))})\.\d+\.(npy|outputs\.npz)")
        try:
            folder.mkdir(exist_ok=True)
            for path in [*self.path.iterdir(), *folder.iterdir()]:
                if path.name.endswith(TEMPORARY) or (path.parent == folder and own.fullmatch(path.name)):
                    path.unlink()
        except OSError as error:
            raise ResultFileError(f"cannot clean {self.path}: {error.strerror}") from error

    def _what_is_safe(self) -> str:
        return f"the cases finished before are safe; mend that and go on with --resume {self.path}"


def _write_json(path: Path, record: CaseResult | RunInfo, safe: str) -> None:
    try:
        text = typed_json.dumps(record)
    except ValueError as error:
        raise ResultFileError(f"cannot write {path}: {error}; {safe}") from error
    if len(text) > MAX_JSON_BYTES:
        raise ResultFileError(
            f"cannot write {path}: it would have {len(text)} bytes, more than any reader takes; {safe}"
        )
    write_whole(path, lambda file: file.write(text), safe)
