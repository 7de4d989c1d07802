"""A run written by hand that has every outcome, every warning and a case that is missing; nothing measured."""

from __future__ import annotations

from bench.results import (
    LAYOUT,
    Audit,
    CaseResult,
    Failure,
    Figure,
    Json,
    Memory,
    Outcome,
    Phase,
    ProcessRun,
    RunInfo,
    StoredRun,
    Verdict,
    WarmUp,
)

MACHINE: dict[str, Json] = {"cpu_model": "Example CPU @ 2.40GHz", "cores": 2, "governor": "powersave", "load_1m": 0.4}
MET, MISSED, UNDECIDED, NOT_MEASURED = Outcome.MET, Outcome.MISSED, Outcome.UNDECIDED, Outcome.NOT_MEASURED


def process(index: int, *, settled: bool = True, failure: Failure | None = None, samples: str = "file") -> ProcessRun:
    return ProcessRun(
        index=index,
        phases=(
            Phase("import", 81_000_000, 61_000_000, 61_000_000),
            Phase("load", 12_000_000, 70_000_000, 71_000_000),
        ),
        cold_start_ns=310_000_000 + index * 4_000_000,
        warm_up=WarmUp(132 + index, 9_000_000, settled, "three windows within 2 %"),
        audit=Audit(64, 1_290_000, 1_301_000, 9_600, 0.998 - index / 1000),
        memory=Memory(61_000_000, 70_000_000, 78_000_000, "VmHWM"),
        timings=f"process-{index}.npy",
        timings_count=2000,
        facts={
            "device": "cpu",
            "precision": "fp32",
            "threads": 1,
            "artifact": "onnx",
            "providers": ["CPUExecutionProvider"],
            "graph_optimization": "all",
            "spinning": False,
        },
        versions={"onnxruntime": "1.22.0"},
        machine=dict(MACHINE),
        samples_source=samples,
        samples_count=360,
        failure=failure,
    )


def verdict(block: str, figure: Figure, direction: str, limit: float, text: str, outcome: Outcome, why: str) -> Verdict:
    name = f"{block} {figure.metric}".strip()
    return Verdict(name, block, figure.metric, figure.unit, direction, limit, text, outcome, figure, why)


def latency(metric: str, value: float, low: float, high: float) -> Figure:
    return Figure(metric, "ns", value, low, high, (value * 0.99, value, value * 1.02), count=6000)


def case(target: str, backend: str, scenario: str, verdicts: tuple[Verdict, ...], **more: object) -> CaseResult:
    fields: dict[str, object] = {
        "case": f"{target}.{scenario}",
        "target": target,
        "backend": backend,
        "device": "cpu",
        "scenario": scenario,
        "settings": {"batch": 1, "processes": 3},
        "defaults": ("precision", "residency"),
        "process_runs": tuple(process(index) for index in range(3)),
        "figures": tuple(one.figure for one in verdicts),
        "verdicts": verdicts,
        "started": "2025-11-24T06:00:00Z",
        "duration_ns": 8_400_000_000,
    }
    return CaseResult(**{**fields, **more})  # type: ignore[arg-type]


def _keeps() -> tuple[CaseResult, ...]:
    p50 = latency("latency p50", 812_000, 803_000, 829_000)
    p99 = latency("latency p99", 1_230_000, 1_210_000, 1_310_000)
    memory = Figure("peak memory", "bytes", 81_788_928, 81_700_000, 81_900_000, (81_700_000, 81_788_928, 81_900_000))
    top = Figure("top-1", "ratio", 0.981, 0.974, 0.987, count=360)
    size = Figure("artifact size", "bytes", 141_312)
    single = (
        verdict("single-stream", p50, "at most", 1e6, "1 ms", MET, "all of the interval is within the limit"),
        verdict("single-stream", p99, "at most", 5e6, "at most 5 ms", MET, "all of the interval is within the limit"),
        verdict("single-stream", memory, "at most", 419_430_400, "400 MiB", MET, "within the limit"),
        verdict("accuracy", top, "at least", 0.97, ">= 97 %", MET, "within the limit"),
        verdict("", size, "at most", 1 << 20, "1 MiB", MET, "within the limit"),
    )
    rate = Figure("throughput", "per_s", 2140, 2105, 2180, (2105, 2140, 2180), count=96)
    offline = (verdict("offline", rate, "at least", 1000, "1000/s", MET, "within the limit"),)
    best = tuple(
        ProcessRun(index, batch=32, timings_count=32, facts={"device": "cpu"}, versions={"onnxruntime": "1.22.0"})
        for index in range(3)
    )
    return (
        case("ort-1", "onnxruntime", "single-stream", single),
        case("ort-1", "onnxruntime", "offline", offline, process_runs=best),
    )


def _misses() -> tuple[CaseResult, ...]:
    p50 = latency("latency p50", 960_000, 905_000, 1_040_000)
    p99 = latency("latency p99", 7_210_000, 6_900_000, 7_730_000)
    p999 = Figure("latency p99.9", "ns", None, why_not="p99.9 needs at least 10,000 timings, there are 6,000")
    own = Figure("my_metrics:weighted_error", "number", None, why_not="there are no labels")
    single = (
        verdict("single-stream", p50, "at most", 1e6, "1 ms", UNDECIDED, "the limit lies inside the interval"),
        verdict("single-stream", p99, "at most", 5e6, "5 ms", MISSED, "all of the interval is above the limit"),
        verdict("single-stream", p999, "at most", 9e6, "9 ms", NOT_MEASURED, p999.why_not),
        verdict("accuracy", own, "at most", 0.1, "at most 0.1", NOT_MEASURED, "there are no labels"),
    )
    crash = Failure(
        "WorkerCrashed", "the worker was ended by SIGSEGV", "measure", "SIGSEGV", None,
        ("loading model", "terminate called without an active exception", "Segmentation fault"),
    )  # fmt: skip
    runs = (
        process(0, samples="generated"),
        process(1, settled=False, samples="generated"),
        process(2, failure=crash, samples="generated"),
    )
    notes = ("the load was 1.9 on 2 cores while this was measured",)
    return (case("torch-ts", "pytorch", "single-stream", single, process_runs=runs, notes=notes),)


def _fails() -> tuple[CaseResult, ...]:
    rejected = Failure("ModelRejected", "opset 99 is not supported", "load", stderr=("Check failed: opset <= 21",))
    figure = Figure("latency p50", "ns", None, why_not="the model was rejected")
    verdicts = (verdict("single-stream", figure, "at most", 1e6, "1 ms", NOT_MEASURED, "opset 99 is not supported"),)
    runs = (ProcessRun(0, failure=rejected),)
    return (case("ov", "openvino", "single-stream", verdicts, process_runs=runs, failure=rejected, defaults=()),)


def run(*cases: CaseResult, missing: tuple[str, ...] = ()) -> StoredRun:
    """A stored run of these cases, whose requirements are those of their verdicts."""
    requirements: dict[str, tuple[str, ...]] = {}
    for one in cases:
        names = tuple(verdict.requirement for verdict in one.verdicts)
        requirements[one.target] = requirements.get(one.target, ()) + names
    info = RunInfo(
        layout=LAYOUT,
        run="20251124-060000-a1b2c3",
        started="2025-11-24T06:00:00Z",
        benchpact="0.1.0",
        contract_path="contract.yaml",
        contract_sha256="0" * 64,
        contract_text="benchpact: 1\n",
        model="digits-cnn",
        model_version="1.2.0",
        artifacts={"onnx": "9f" * 32},
        cases=tuple(one.case for one in cases) + missing,
        requirements=requirements,
    )
    return StoredRun(info, cases, missing)


def kept() -> StoredRun:
    """A run in which one target meets everything."""
    return run(*_keeps())


def every_outcome() -> StoredRun:
    """A run with every outcome: kept, missed, undecided, not measured, rejected, interrupted."""
    whole = run(*_keeps(), *_misses(), *_fails(), missing=("torch-ts.cold-start",))
    requirements = dict(whole.info.requirements)
    requirements["torch-ts"] += ("cold-start cold start",)
    fields = {**vars(whole.info), "requirements": requirements}
    fields["notices"] = ("the artifact was made by pytorch 2.12.0, the contract says pytorch 2.13.0",)
    return StoredRun(RunInfo(**fields), whole.cases, whole.missing)
