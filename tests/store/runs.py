"""Runs written by hand for the tests of the store: small, with every kind of record in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.results import (
    LAYOUT,
    Audit,
    Block,
    CaseResult,
    Failure,
    Figure,
    Memory,
    Outcome,
    Phase,
    ProcessRun,
    RunInfo,
    Verdict,
    WarmUp,
)
from bench.store import run_store as store

FIRST, SECOND = "ort-1.single-stream", "ort-1.offline"


def info(run: str = "20260102-030405-678-abcd", cases: tuple[str, ...] = (FIRST, SECOND)) -> RunInfo:
    return RunInfo(
        layout=LAYOUT,
        run=run,
        started="2026-01-02T03:04:05Z",
        benchpact="0.1.0",
        contract_path="contract.yaml",
        contract_sha256="0" * 64,
        contract_text="benchpact: 1\n",
        model="digits",
        model_version="1.0.0",
        artifacts={"onnx": "9" * 64},
        cases=cases,
        requirements={"ort-1": ("single-stream latency p99",)},
        options={"on": ["ort-1"], "time_budget_ns": None, "seed": 20260101},
    )


def process(case: str, index: int, timings: str | None = None, outputs: str | None = None) -> ProcessRun:
    return ProcessRun(
        index=index,
        phases=(Phase("import", 81_000_000, 61_000_000, None),),
        cold_start_ns=310_000_000,
        warm_up=WarmUp(132, 9_000_000, True, "steady"),
        audit=Audit(64, 1_290_000, 1_301_000, 9_600, 0.998),
        memory=Memory(61_000_000, None, 78_000_000, "VmHWM"),
        blocks=(Block(3, 3, 0, 6_000, 0),),
        batches_tried=((1, 812.5), (2, 1200.0)),
        timings=timings,
        outputs=outputs,
        timings_count=3 if timings else 0,
        facts={"device": "cpu", "providers": ["CPU"], "deep": {"a": [1, 2.5, None, True]}},
        versions={"onnxruntime": "1.22.0"},
        machine={"cores": 2, "load_1m": 0.4, "governor": None},
        failure=None if timings else Failure("WorkerCrashed", "ended by SIGSEGV", "load", "SIGSEGV", stderr=("a", "b")),
    )


def case(name: str, *process_runs: ProcessRun) -> CaseResult:
    figure = Figure("latency p99", "ns", 2_000.0, 1_900.0, 2_100.0, (2_000.0, None), 3)
    asked = Verdict("single-stream latency p99", "single-stream", "latency p99", "ns", "at most", 5e6, "5 ms",
                    Outcome.MET, figure, "all of it is inside")  # fmt: skip
    return CaseResult(
        case=name,
        target="ort-1",
        backend="onnxruntime",
        device="cpu",
        scenario="single-stream",
        settings={"threads": 1, "options": {}},
        defaults=("precision",),
        process_runs=process_runs or (process(name, 0),),
        figures=(figure,),
        verdicts=(asked,),
        started="2026-01-02T03:04:06Z",
        duration_ns=5_000_000_000,
    )


def stored_case(writer: store.RunStore, name: str, timings: int = 3) -> CaseResult:
    """The case with timings and outputs, everything written as a run does it."""
    column = writer.timings_writer(name, 0)
    column.append(np.arange(timings, dtype="<u8").tobytes())
    file, _ = column.close()
    outputs = writer.save_outputs(name, 0, {"logits": np.ones((2, 10), np.float32)})
    result = case(name, process(name, 0, file, outputs))
    writer.save(result)
    return result


def stored_run(results: Path, *cases: str) -> Path:
    """The folder of a run with these cases stored."""
    with store.create(results, info()) as writer:
        for name in cases:
            stored_case(writer, name)
        return writer.path
