"""Not a test: writes cases into a folder until its disk is full, makes room, goes on. ``python … FOLDER``.

Prints one JSON object; the disk is gone when this process ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.errors import ResultFileError
from bench.store import run_store as store
from tests.store.runs import info, stored_case

CASES = tuple(f"target-{i}.offline" for i in range(400))


def fill(writer: store.RunStore, cases: tuple[str, ...], timings: int) -> str:
    """Store case after case; what the error said, or nothing."""
    try:
        for name in cases:
            stored_case(writer, name, timings)
    except ResultFileError as error:
        return str(error)
    return ""


def main(folder: Path) -> None:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(128 << 10))
    results = folder / "results"
    with store.create(results, info(cases=CASES)) as writer:
        said = fill(writer, CASES, 1000)
    finished = [case.case for case in store.open_run("latest", results).cases]
    left = [path.name for path in results.rglob("*.tmp")]
    ballast.unlink()
    with store.reopen(results, "latest") as writer:
        then = fill(writer, CASES[len(finished) : len(finished) + 3], 1000)
    after = [case.case for case in store.open_run("latest", results).cases]
    print(json.dumps({"said": said, "finished": finished, "left": left, "then": then, "after": after}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
