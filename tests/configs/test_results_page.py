"""The page on results: what it says of the layout is there after a run, and its snippet reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "results" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ``results`` holds one run: a timed case with outputs, and a cold start."""
    folder = tmp_path_factory.mktemp("measured")
    command = [sys.executable, "-m", "bench", "run", str(ROOT / "configs" / "demo.yaml"), "--on", "ort-1", "-q"]
    command += ["--only", "single-stream", "--only", "accuracy", "--only", "cold-start"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 3), done.stderr
    return folder


def test_a_run_has_the_files_that_the_page_shows_and_no_others(folder: Path) -> None:
    (run,) = (folder / "results").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{4}", run.name)
    found = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    timed = "cases/ort-1.single-stream"
    processes = len(json.loads((run / f"{timed}.json").read_text())["process_runs"])
    assert processes == 3, "as the demo asks for"
    assert found == {
        "run.json",
        "lock",
        "cases/ort-1.cold-start.json",
        *(f"{timed}.{ending}" for ending in ("json", "0.outputs.npz")),
        *(f"{timed}.{index}.npy" for index in range(processes)),
    }
    for name in ("run.json", "lock", *(f"ort-1.single-stream.{one}" for one in ("json", "0.npy", "0.outputs.npz"))):
        assert re.search(rf"^ +{re.escape(name)} ", PAGE, re.MULTILINE), name


def test_the_pages_snippet_prints_every_verdict_and_every_process(folder: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(snippets) == 1
    done = subprocess.run([sys.executable, "-c", snippets[0]], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ort-1 accuracy top-1 met 0.98" in done.stdout
    assert "ort-1 cold-start cold start" in done.stdout
    shown = re.findall(r"ort-1.single-stream (\d+) \d+ timings, median [\d.]+ ns", done.stdout)
    processes = len(list(folder.glob("results/*/cases/ort-1.single-stream.*[0-9].npy")))
    assert shown == [str(index) for index in range(processes)]
