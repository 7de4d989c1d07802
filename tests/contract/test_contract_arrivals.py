"""How queries arrive and are answered, in a contract's words: bursts, recorded traces, workers, batches, queues."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bench.contract.model import ScenarioSettings
from tests.contract.contracts import changed, loaded, problem, problems, scenario

OFFLINE = "offline: {batch: 64, throughput: 1200/s}"
ARRIVALS = [0, 10**8, 2 * 10**8, 10**9 - 1]


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    (tmp_path / "traffic").mkdir()
    np.save(tmp_path / "traffic" / "monday.npy", np.array(ARRIVALS))
    return tmp_path


def text(words: str) -> str:
    return changed(OFFLINE, f"server: {{{words}, latency p99: 9 ms}}")


def read(folder: Path, words: str) -> ScenarioSettings:
    return scenario(loaded(folder, text(words)).targets[0], "server")


def test_bursts_have_their_size(tmp_path: Path) -> None:
    found = read(tmp_path, "rate: 400/s, arrivals: bursts of 16")
    assert (found.arrivals, found.rate_per_s) == ("bursts of 16", 400.0)


@pytest.mark.parametrize(
    ("words", "ends"), [("rate: 100k/s, time: 24 h", "100 s"), ("preset: mlperf, rate: 50000/s", "200 s")]
)
def test_more_arrivals_than_a_process_measures_are_refused_unless_the_contract_says_how_many_end_it(
    tmp_path: Path, words: str, ends: str
) -> None:
    told = problem(tmp_path, text(words))
    assert f"are more than 10,000,000 queries, which end a process after {ends}: write a lower `rate`" in told
    assert "or `queries: 10000000` to have it so" in told
    assert read(tmp_path, f"{words}, queries: 10000000").max_queries == 10**7


def test_as_many_arrivals_as_a_process_measures_are_taken(tmp_path: Path) -> None:
    assert read(tmp_path, "rate: 100k/s, time: 100 s").max_ns == 100 * 10**9


@pytest.mark.parametrize("written", ["bursts", "bursts of 1", "bursts of many", "bursts of 10000", "Bursts of 8"])
def test_other_bursts_are_refused(tmp_path: Path, written: str) -> None:
    told = problem(tmp_path, text(f"rate: 9/s, arrivals: {written}"))
    assert "is not a kind of arrivals: did you mean `bursts of 8`?" in told


def test_a_trace_tells_its_rate_and_its_length(traced: Path) -> None:
    found = read(traced, "trace: traffic/monday.npy")
    assert (found.arrivals, found.rate_per_s, found.max_ns) == ("trace", 4.0, 10**9)
    assert found.trace is not None
    assert (found.trace.path, found.trace.count) == (traced / "traffic" / "monday.npy", 4)
    assert found.trace.length_ns == 10**9 - 1
    assert found.trace.sha256 == hashlib.sha256(np.array(ARRIVALS, "<i8").tobytes()).hexdigest()


def test_a_trace_is_played_as_long_as_is_asked_for(traced: Path) -> None:
    found = read(traced, "trace: traffic/monday.npy, time: 150 ms")
    assert (found.max_ns, found.min_ns) == (150_000_000, 100_000_000)
    assert found.rate_per_s == pytest.approx(2 / 0.15)
    assert read(traced, "trace: traffic/monday.npy, time: 9 s").max_ns == 10**9, "never longer than it is"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trace: traffic/monday.npy, rate: 9/s", "the trace says when queries arrive: leave `rate` out"),
        ("arrivals: constant, trace: traffic/monday.npy", "the trace says when queries arrive: leave `arrivals` out"),
        ("trace: traffic/tuesday.npy", "`traffic/tuesday.npy`: there is no such file: did you mean `monday.npy`?"),
        ("trace: ../monday.npy", "leaves the contract's folder"),
        ("trace: /etc/passwd", "is an absolute path"),
        ("trace: traffic", "`traffic` is not a file"),
        ("trace: traffic/out.npy", "is a link that leaves the contract's folder"),
        ("trace: traffic/bad.csv", "`traffic/bad.csv`: its first line is `0`: write `seconds` or `nanoseconds`"),
        ("arrivals: poisson", "`server` does not say how often queries arrive: write `rate: 200/s`"),
    ],
)
def test_a_trace_that_cannot_be_played_is_one_problem_with_its_place(traced: Path, words: str, said: str) -> None:
    (traced / "traffic" / "bad.csv").write_text("0\n1\n")
    (traced / "traffic" / "out.npy").symlink_to("/etc/passwd")
    told = problem(traced, text(words))
    assert said in told
    assert told.startswith("29:")


def test_it_is_told_beside_every_other_problem(traced: Path) -> None:
    told = problems(traced, changed("top-1: 97 %", "top-1: 97", text("trace: no.csv")))
    assert len(told) == 2


def test_a_targets_own_words_stand_in_the_place_of_the_common_ones(traced: Path) -> None:
    own_trace = changed(
        "single-stream: {latency p99: 3 ms, queries: 1000}",
        "server: {trace: traffic/monday.npy, latency p99: 5 ms}",
        text("rate: 9/s, arrivals: constant"),
    )
    own, common = loaded(traced, own_trace).targets
    assert scenario(own, "server").rate_per_s == 4.0 and scenario(common, "server").rate_per_s == 9.0
    own_rate = changed(
        "single-stream: {latency p99: 3 ms, queries: 1000}",
        "server: {rate: 9/s, latency p99: 5 ms}",
        text("trace: traffic/monday.npy"),
    )
    own, common = loaded(traced, own_rate).targets
    assert (scenario(own, "server").arrivals, scenario(common, "server").arrivals) == ("poisson", "trace")
    assert scenario(own, "server").trace is None


def test_who_answers_is_read_and_has_its_defaults(tmp_path: Path) -> None:
    usual = read(tmp_path, "rate: 9/s")
    assert (usual.workers, usual.max_batch, usual.max_wait_ns, usual.queue, usual.timeout_ns) == (1, 1, 0, 0, 0)
    stateless = text("rate: 9/s, workers: 4, max batch: 8, max wait: 2 ms, queue: 100, timeout: 50 ms, dropped: 0 %, "
                     "timed out: 0.1 %").replace("state: {h: h_out}\n", "").replace("32]", "4]").replace(
                     "[2, batch, 4]", "[batch, 4]")  # fmt: skip
    target = loaded(tmp_path, stateless).targets[0]
    found = scenario(target, "server")
    assert (found.workers, found.max_batch, found.max_wait_ns) == (4, 8, 2_000_000)
    assert (found.queue, found.timeout_ns) == (100, 50_000_000)
    limits = {one.metric: (one.direction, one.limit) for one in target.limits.requirements if one.block == "server"}
    assert limits["dropped"] == ("at most", 0.0)
    assert limits["timed out"][1] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("workers: 0", "0 is not a number of workers: it is from 1 to 64"),
        ("max batch: 8", "`max batch` of target `torch-ts`: the model has state, so queries cannot be joined"),
        ("max wait: 2 ms", "`max wait` is about nothing without `max batch`: write `max batch: 8`"),
        ("max batch: 1, max wait: 2", "`max wait`: `2` has no unit"),
        ("queue: 0", "0 is not a number of queries: it is from 1 to 1000000"),
        ("timeout: 0 ms", "`0 ms` is out of bounds"),
        ("dropped: 1 %", "`dropped` is about nothing without `queue`: write `queue: 100`"),
        ("timed out: 1 %", "`timed out` is about nothing without `timeout`: write `timeout: 50 ms`"),
        ("queue: 9, dropped: at least 1 %", "less is better here"),
        ("queue: 9, droped: 1 %", "did you mean `dropped`?"),
        ("max batch size: 9", "`max batch size` is no metric of `server`: did you mean `max batch`?"),
        ("threads: 9", "did you mean `workers`?"),
    ],
)
def test_words_that_cannot_be_are_refused(tmp_path: Path, words: str, said: str) -> None:
    assert said in "\n".join(problems(tmp_path, text(f"rate: 9/s, {words}")))


def test_a_batch_needs_a_dimension_that_counts_samples(tmp_path: Path) -> None:
    fixed = text("rate: 9/s, max batch: 8").replace("batch: batch\n", "").replace("dims: {", "dims: {batch: 1, ")
    fixed = fixed.replace("state: {h: h_out}\n", "").replace("batch: 64, ", "")
    told = problems(tmp_path, fixed)
    assert all("names no dimension that counts samples (`batch`)" in one for one in told) and told
