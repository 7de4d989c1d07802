"""Not a test: a host with a worker that would run for an hour. ``python -m tests.reliability.host ADAPTER FOLDER``."""

from __future__ import annotations

import sys

from tests.launch.talk import MS, Ear, job, measure


def main(adapter: str, folder: str) -> None:
    one = job(adapter, {"folder": folder}, max_ns=3_600_000 * MS)
    measure(one, Ear(on_phase=lambda name: print(name, flush=True)), deadline_s=3600)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
