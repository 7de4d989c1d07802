"""Not a test: forks writers and kills each at a random moment. ``python writing_run.py RESULTS TRIES SEED``.

Forked from a process that has imported everything, a try costs a few milliseconds. Prints one JSON line
a try: the run's name and the cases whose ``save`` had returned when the writer was killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from bench.store import run_store as store
from tests.store.runs import case, info, process

CASES = tuple(f"target-{i}.offline" for i in range(60))
TIMINGS = np.arange(40_000, dtype="<u8")
MOST_CASES = 5


def write(results: Path, run: str, said: int) -> None:
    """Store one case after the other, saying so as soon as each is stored."""
    with store.create(results, info(run, CASES)) as writer:
        for number, name in enumerate(CASES):
            column = writer.timings_writer(name, 0)
            for part in np.split(TIMINGS, 10):
                column.append(part.tobytes())
            timings, _ = column.close()
            outputs = writer.save_outputs(name, 0, {"logits": np.full((500, 10), number, np.float32)})
            writer.save(case(name, process(name, 0, timings, outputs)))
            os.write(said, bytes([number]))


def main(results: Path, tries: int, seed: int) -> None:
    chance = random.Random(seed)
    a_case_s = 0.005
    for number in range(tries):
        run = f"run-{number:04d}"
        heard, said = os.pipe()
        writer = os.fork()
        if writer == 0:
            write(results, run, said)
            os._exit(0)
        os.close(said)
        # A moment counted in cases, and then within one: a busy machine is slower, not killed earlier.
        before, begin, finished = chance.randrange(MOST_CASES), time.monotonic(), b""
        while len(finished) < before:
            finished += os.read(heard, 1)
        if before:
            a_case_s = (time.monotonic() - begin) / before
        time.sleep(chance.uniform(0, 1.5 * a_case_s))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        finished += os.read(heard, len(CASES))
        print(json.dumps([run, [CASES[i] for i in finished]]), flush=True)
        os.close(heard)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
