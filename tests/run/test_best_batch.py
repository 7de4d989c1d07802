"""``batch: best``: found once a case, then the same for all its processes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.run.test_run_command import Place


def test_the_best_batch_is_found_once_and_every_process_measures_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    limits = "{offline: {batch: best, throughput: 1/s, processes: 3, time: 200 ms}}"
    place.write({"a": f"{{backend: onnxruntime, limits: {limits}}}"})
    done = place.run("--only", "offline", "-v")
    assert done.returncode == 0
    case = json.loads((place.only_run() / "cases" / "a.offline.json").read_text())
    first, *others = case["process_runs"]
    assert len(first["batches_tried"]) >= 3
    assert first["batch"] in [size for size, _ in first["batches_tried"]]
    assert [one["batch"] for one in others] == [first["batch"]] * 2
    assert not any(one["batches_tried"] for one in others)
    words = " ".join(done.stdout.split())
    assert "batch sizes tried: 1: " in words
    assert all(f"{size}: " in words for size, _ in first["batches_tried"])
    assert "batch sizes tried" not in place.run("--only", "offline").stdout
