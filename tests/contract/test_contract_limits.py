"""Limits: units, directions and names are checked; a target's own go before the common ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contract.model import ScenarioSettings
from bench.contract.scenario_words import STREAMS
from tests.contract.contracts import WHOLE, changed, loaded, problem, problems, requirement, scenario


def test_limits_are_in_base_units_with_the_metric_s_direction(tmp_path: Path) -> None:
    target = loaded(tmp_path).targets[1]
    found = {one.id: (one.limit, one.direction, one.text) for one in target.limits.requirements}
    assert found == {
        "single-stream latency p50": (1e6, "at most", "1 ms"),
        "single-stream latency p99": (5e6, "at most", "at most 5 ms"),
        "single-stream peak memory": (300 * 2**20, "at most", "<= 300 MiB"),
        "offline throughput": (1200, "at least", "1200/s"),
        "cold-start cold start": (2e9, "at most", "2 s"),
        "cold-start load time": (2e8, "at most", "200 ms"),
        "accuracy top-1": (0.97, "at least", "97 %"),
        "accuracy metrics:weighted_error": (0.1, "at most", "at most 0.1"),
        "agreement max abs difference": (1e-4, "at most", "1e-4"),
        "agreement label agreement": (1, "at least", "100 %"),
        "artifact size": (2**20, "at most", "1 MiB"),
    }


def test_a_target_s_own_limits_go_before_the_common_ones_line_by_line(tmp_path: Path) -> None:
    own, common = loaded(tmp_path).targets
    assert requirement(own, "single-stream latency p99").limit == 3e6
    assert requirement(common, "single-stream latency p99").limit == 5e6
    assert requirement(own, "single-stream latency p50") == requirement(common, "single-stream latency p50")
    assert (scenario(own, "single-stream").max_queries, scenario(own, "single-stream").max_ns) == (1000, 2_000_000_000)
    assert (
        requirement(own, "single-stream latency p99").place.line
        > requirement(common, "single-stream latency p99").place.line
    )


def test_a_block_s_own_words_say_how_its_scenario_is_run(tmp_path: Path) -> None:
    text = changed("time: 2 s, processes: 3", "time: 500 ms, min time: 0.1 s, processes: 7, queries: 1_000, batch: 2")
    target = loaded(tmp_path, text).targets[1]
    single, offline = scenario(target, "single-stream"), scenario(target, "offline")
    assert (single.max_ns, single.min_ns, single.processes) == (500_000_000, 100_000_000, 7)
    assert (single.max_queries, single.batch) == (1000, 2)
    assert (offline.batch, offline.processes, offline.min_ns, offline.max_ns) == (64, 40, 100_000_000, 2_000_000_000)
    assert scenario(target, "cold-start").processes == 5
    best = loaded(tmp_path, changed("batch: 64", "batch: best")).targets[1]
    assert scenario(best, "offline").batch == 0


def test_a_short_time_shortens_the_least_time_with_it(tmp_path: Path) -> None:
    target = loaded(tmp_path, changed("time: 2 s", "time: 50 ms")).targets[1]
    assert scenario(target, "single-stream").min_ns == 50_000_000


@pytest.mark.parametrize("sign", ["at most", "<=", "≤"])
def test_a_direction_that_agrees_with_the_metric_may_be_written(tmp_path: Path, sign: str) -> None:
    target = loaded(tmp_path, changed("latency p50: 1 ms", f"latency p50: {sign} 1 ms")).targets[0]
    assert requirement(target, "single-stream latency p50").limit == 1e6
    quoted = changed("throughput: 1200/s", 'throughput: ">= 1200/s"')
    assert requirement(loaded(tmp_path, quoted).targets[0], "offline throughput").direction == "at least"


def test_the_user_s_own_metric_takes_the_direction_it_is_given(tmp_path: Path) -> None:
    text = changed('"metrics:weighted_error": at most 0.1', "pkg.metrics:score: at least 0.5")
    found = requirement(loaded(tmp_path, text).targets[0], "accuracy pkg.metrics:score")
    assert (found.direction, found.limit) == ("at least", 0.5)


@pytest.mark.parametrize("name", ["latency p50", "latency p99.9", "latency p99.999", "latency p01", "latency p00.1"])
def test_any_percentile_with_two_digits_before_the_point_is_a_metric(tmp_path: Path, name: str) -> None:
    text = changed("{latency p50: 1 ms", f"{{{name}: 1 ms")
    assert requirement(loaded(tmp_path, text).targets[0], f"single-stream {name}").unit == "ns"


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("p9", "latency p90"),
        ("latency p9", "latency p90"),
        ("latency p5", "latency p50"),
        ("p99", "latency p99"),
        ("P99", "latency p99"),
        ("latency_p99", "latency p99"),
        ("p99 latency", "latency p99"),
        ("latency p999", "latency p99.9"),
        ("latency p9999", "latency p99.99"),
        ("latency p100", "latency p99.9"),
        ("latency p0", "latency p50"),
        ("latency p99.9999", "latency p99.999"),
        ("latency p5.5", "latency p05.5"),
        ("latency percentile 99", "latency p99"),
        ("median", "latency p50"),
        ("mean latency", "latency mean"),
        ("latnecy mean", "latency mean"),
        ("latncy p90", "latency p90"),
        ("Latencies p99.9", "latency p99.9"),
        ("Peak Memory", "peak memory"),
        ("peak_memory", "peak memory"),
        ("rss", "peak memory"),
        ("qps", "throughput"),
        ("batch size", "batch"),
        ("repeats", "processes"),
    ],
)
def test_a_name_that_is_no_metric_names_the_one_that_was_meant(tmp_path: Path, name: str, right: str) -> None:
    told = problem(tmp_path, changed("{latency p50: 1 ms", f"{{{name}: 1 ms"))
    assert told.startswith("28:19: ")
    assert f"did you mean `{right}`?" in told


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latency p50: 1 ms", "latency p50: 1", "`latency p50`: `1` has no unit: write a time like `5 ms`"),
        ("latency p50: 1 ms", "latency p50: 1 mss", "`1 mss`: `mss` is not a unit: did you mean `ms`?"),
        ("latency p50: 1 ms", "latency p50: 1 MiB", "`MiB` is a unit of size: write a time like `5 ms`"),
        ("latency p50: 1 ms", "latency p50: .nan", "`.nan` is not a finite number"),
        ("latency p50: 1 ms", "latency p50: inf ms", "`inf ms` is not a finite number"),
        ("latency p50: 1 ms", "latency p50: -1 ms", "`-1 ms` is negative"),
        ("latency p50: 1 ms", "latency p50: 1e999 s", "is too large"),
        ("latency p50: 1 ms", "latency p50: [1 ms]", "`latency p50` is a list: write a time, like `5 ms`"),
        ("latency p50: 1 ms", "latency p50:", "`latency p50` has no value: write a time, like `5 ms`"),
        ("latency p50: 1 ms", "latency p50: at least 1 ms", "less is better here, so `at least` is not its direction: "
         "write `at most 1 ms`, or `1 ms` alone"),
        ("1200/s", "at most 1200/s", "more is better here, so `at most` is not its direction"),
        ("latency p50: 1 ms", "latency p50: < 1 ms", "write `at most …`, or the limit alone"),
        ("top-1: 97 %", "top-1: 97", "`97` is more than 1: did you mean `97 %`?"),
        ("top-1: 97 %", "top-k: 97 %", "`top-k` needs its k: did you mean `top-5`?"),
        ("top-1: 97 %", "accuracy: 97 %", "`accuracy` is no metric of `accuracy`: did you mean `top-1`?"),
        ("top-1: 97 %", "throughput: 9/s", "not measured in `accuracy`: it belongs into `single-stream` or `mul"),
        ("at most 0.1", "0.1", "your own metric needs a direction: write `at most 0.1` or `at least 0.1`"),
        ("at most 0.1", "at most 10 %", "`%` is a unit of share: write a plain number"),
        ("max abs difference: 1e-4", "atol: 1e-4", "did you mean `max abs difference`?"),
        ("batch: 64", "batch: 0", "0 is not a batch size: it is from 1"),
        ("batch: 64", "batch: bets", "`bets` is not a batch size, like `64`, or `best`"),
        ("processes: 3", "processes: 0", "0 is not a number of processes: it is from 1 to 100"),
        ("processes: 3", "processes: 3.5", "`3.5` is not a number of processes"),
        ("time: 2 s", "time: 2", "`time`: `2` has no unit: write a time like `5 ms`"),
        ("time: 2 s", "time: 0 s", "`0 s` is out of bounds"),
        ("time: 2 s", "time: 30 h", "`30 h` is out of bounds"),
        ("time: 2 s", "min time: 3 s", "`min time` (3 s) is longer than `time` (2 s): write `time: 3 s` or more"),
        ("  offline: {batch: 64, throughput: 1200/s}", "  server: {latency p99: 1 s}", "`server` does not say how "
         "often queries arrive: write `rate: 200/s` beside its limits"),
        ("offline: {batch: 64, throughput: 1200/s}", "server: {rate: 0/s, throughput: 1/s}", "`rate`: `0/s` is out of"),
        ("offline: {batch: 64, throughput: 1200/s}", "server: {rate: 9, throughput: 1/s}", "`rate`: `9` has no unit"),
        ("offline: {batch: 64, throughput: 1200/s}", "server: {rate: 9/s, arrivals: random, throughput: 1/s}",
         "did you mean `poisson`?"),
        ("offline: {batch: 64", "server: {batch: 64", "`batch` is no metric of `server`"),
        ("offline: {batch: 64", "multi-stream: {batch: 64", "did you mean `samples`?"),
        ("  single-stream: {latency p50", "  rate: 9/s\n  single-stream: {latency p50", "did you mean `server`?"),
        ("{processes: 5, cold start", "{batch: 5, cold start", "`batch` is no metric of `cold-start`"),
        ("  single-stream: {latency p50", "  single_stream: {latency p50", "did you mean `single-stream`?"),
        ("  artifact size: 1 MiB", "  latency p99: 1 s", "belongs into a block: write `single-stream: {latency p99"),
        ("  artifact size: 1 MiB", "  artefact size: 1 MiB", "did you mean `artifact size`?"),
        ("  artifact size: 1 MiB", "  artifact size: 1", "`artifact size`: `1` has no unit: write a size"),
        ("top-1: 97 %", "artifact size: 1 MB", "`artifact size` stands in no block: write it directly under `limits`"),
        ("  offline: {batch: 64, throughput: 1200/s}", "  offline: {batch: 64}", "`offline` asks for nothing: write"),
        ("  offline: {batch: 64, throughput: 1200/s}", "  offline: 1200/s", "`offline` is one value: write limits"),
        ("  offline: {batch: 64, throughput: 1200/s}", "  offline:", "`offline` has no value: write limits like"),
        ("latency p50: 1 ms", "latency p50: 0 ms", "`latency p50`: `0 ms` is a limit that nothing keeps: write more"),
        ("artifact size: 1 MiB", "artifact size: 0 B", "`artifact size`: `0 B` is a limit that nothing keeps: write"),
    ],
)  # fmt: skip
def test_a_limit_that_is_wrong_says_what_would_be_right(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in "\n".join(problems(tmp_path, changed(old, new)))


def test_a_block_whose_only_line_is_wrong_is_one_problem(tmp_path: Path) -> None:
    told = problem(tmp_path, changed("{batch: 64, throughput: 1200/s}", "{batch: 64, thruput: 1200/s}"))
    assert "`thruput` is no metric of `offline`: did you mean `throughput`?" in told


def test_a_common_limit_that_is_wrong_is_told_once_for_all_targets(tmp_path: Path) -> None:
    assert problem(tmp_path, changed("offline: {batch: 64, throughput: 1200/s}", "offline: {batch: 64}"))


def test_a_wrong_rate_is_one_problem(tmp_path: Path) -> None:
    wrong = "server: {rate: often, throughput: 1/s}"
    assert "`rate`" in problem(tmp_path, changed("offline: {batch: 64, throughput: 1200/s}", wrong))


def test_how_queries_arrive_is_read_and_has_its_defaults(tmp_path: Path) -> None:
    def read(block: str, name: str) -> ScenarioSettings:
        text = changed("offline: {batch: 64, throughput: 1200/s}", f"{name}: {{{block}, latency p99: 9 ms}}")
        return scenario(loaded(tmp_path, text).targets[0], name)

    server = read("rate: 1.5 k/s", "server")
    assert (server.rate_per_s, server.arrivals, server.batch) == (1500.0, "poisson", 1)
    assert read("rate: 0.5/s, arrivals: constant", "server").rate_per_s == 0.5
    assert read("rate: 9/s, arrivals: constant", "server").arrivals == "constant"
    assert read("samples: 3", "multi-stream").batch == 3
    assert read("processes: 2", "multi-stream").batch == STREAMS == 8


def test_a_target_takes_the_common_rate(tmp_path: Path) -> None:
    text = changed("offline: {batch: 64, throughput: 1200/s}", "server: {rate: 9/s, latency p99: 9 ms}")
    text = changed("latency p99: 3 ms, queries: 1000}", "latency p99: 3 ms}, server: {latency p99: 5 ms}", text)
    own, common = loaded(tmp_path, text).targets
    assert scenario(own, "server").rate_per_s == scenario(common, "server").rate_per_s == 9.0
    assert requirement(own, "server latency p99").limit == 5e6


def test_targets_that_owe_nothing_are_a_problem(tmp_path: Path) -> None:
    head, tail = WHOLE.split("limits:\n", 1)
    text = head + "targets:\n" + tail.split("targets:\n", 1)[1]
    told = problem(tmp_path, text)
    assert "`torch-ts` owes nothing: write `limits: {single-stream: {latency p99: 5 ms}}`" in told


def test_a_scenario_runs_where_common_and_own_limits_have_its_block(tmp_path: Path) -> None:
    text = changed("  cold-start: {processes: 5, cold start: 2 s, load time: 200 ms}\n", "")
    text = changed("latency p99: 3 ms, queries: 1000}", "latency p99: 3 ms}, cold-start: {cold start: 1 s}", text)
    own, common = loaded(tmp_path, text).targets
    assert [one.scenario for one in own.limits.scenarios] == ["single-stream", "offline", "cold-start"]
    assert [one.scenario for one in common.limits.scenarios] == ["single-stream", "offline"]


@pytest.mark.parametrize(("written", "least", "most"), [("adaptive", 1, 40), ("8..24", 8, 24), ("12..12", 12, 12)])
def test_a_range_of_processes_goes_on_until_they_agree(tmp_path: Path, written: str, least: int, most: int) -> None:
    single = scenario(loaded(tmp_path, changed("processes: 3", f"processes: {written}")).targets[1], "single-stream")
    assert single.adaptive
    assert (single.least_processes, single.processes, single.error_rate) == (least, most, 0.01)
    fixed = scenario(loaded(tmp_path).targets[1], "single-stream")
    assert (fixed.adaptive, fixed.processes, fixed.expected_processes) == (False, 3, 3)


def test_the_time_that_is_planned_for_is_that_of_processes_that_agree(tmp_path: Path) -> None:
    for words, expected in (("adaptive", 8), ("adaptive, error rate: 5 %", 6), ("20..30", 20), ("1..8", 8)):
        text = changed("processes: 3", f"processes: {words}")
        assert scenario(loaded(tmp_path, text).targets[1], "single-stream").expected_processes == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("24..8", "`24..8`: both ends are from 1 to 1000, the lower one first"),
        ("0..8", "`0..8`: both ends are from 1 to 1000, the lower one first"),
        ("8..1001", "`8..1001`: both ends are from 1 to 1000, the lower one first"),
        ("auto", "`auto` is not a number of processes, like `3`, a range like `8..24`, or `adaptive`"),
        ("3..7", "`processes` ends at 7, but an error rate of 1 % takes at least 8 that agree: write `8..40`"),
        ("1..11, error rate: 0.1 %", "an error rate of 0.1 % takes at least 12 that agree: write `12..40`"),
        ("3, error rate: 1 %", "`error rate` is about processes that go on until they agree"),
        ("adaptive, error rate: 20 %", "is out of bounds: it is from 0.0001 % to 10 %"),
    ],
)
def test_processes_that_could_not_be_decided_are_refused(tmp_path: Path, written: str, said: str) -> None:
    assert said in problem(tmp_path, changed("processes: 3", f"processes: {written}"))


def test_a_target_may_take_a_fixed_number_where_the_others_go_on(tmp_path: Path) -> None:
    text = changed("time: 2 s, processes: 3", "time: 2 s, processes: adaptive, error rate: 0.1 %")
    own, common = loaded(tmp_path, changed("queries: 1000", "processes: 5", text)).targets
    assert (scenario(own, "single-stream").adaptive, scenario(own, "single-stream").processes) == (False, 5)
    assert scenario(common, "single-stream").error_rate == 0.001


@pytest.mark.parametrize(("written", "left_out"), [("leave out", True), ("keep", False)])
def test_a_scenario_may_be_judged_without_its_disturbed_blocks(tmp_path: Path, written: str, left_out: bool) -> None:
    text = changed("processes: 3", f"processes: 3, disturbed blocks: {written}")
    single = scenario(loaded(tmp_path, text).targets[1], "single-stream")
    assert single.leave_out_disturbed is left_out
    assert not scenario(loaded(tmp_path, WHOLE).targets[1], "single-stream").leave_out_disturbed


def test_what_is_done_with_disturbed_blocks_is_one_of_two_words(tmp_path: Path) -> None:
    said = problem(tmp_path, changed("processes: 3", "processes: 3, disturbed blocks: drop"))
    assert "`drop` is not what to do with them: " in said
    assert "`leave out`" in said


@pytest.mark.parametrize(("written", "calls"), [("1", 1), ("16", 16), ("auto", 0), ("1024", 1024)])
def test_a_contract_may_say_how_many_calls_one_timing_holds(tmp_path: Path, written: str, calls: int) -> None:
    text = changed("processes: 3", f"processes: 3, calls per timing: {written}")
    assert scenario(loaded(tmp_path, text).targets[1], "single-stream").calls_per_timing == calls
    assert scenario(loaded(tmp_path, WHOLE).targets[1], "single-stream").calls_per_timing == 0


@pytest.mark.parametrize("written", ["0", "1025", "many"])
def test_a_number_of_calls_that_cannot_be_is_told(tmp_path: Path, written: str) -> None:
    said = problem(tmp_path, changed("processes: 3", f"processes: 3, calls per timing: {written}"))
    assert written in said and "`calls per timing`" in said and "number of calls" in said


def test_a_server_keeps_its_disturbed_blocks(tmp_path: Path) -> None:
    server = "server: {rate: 200/s, latency p99: 10 ms, disturbed blocks: leave out}"
    said = problem(tmp_path, changed("offline: {batch: 64, throughput: 1200/s}", server))
    assert "`disturbed blocks` is no" in said


def test_a_promise_is_the_typical_process_unless_the_pool_is_asked_for(tmp_path: Path) -> None:
    for words, pooled in (("", False), (", promise: typical process", False), (", promise: pool of calls", True)):
        text = changed("time: 2 s, processes: 3", f"processes: 1..700{words}")
        assert scenario(loaded(tmp_path, text).targets[0], "single-stream").pooled is pooled


def test_a_promise_without_a_range_of_processes_is_refused(tmp_path: Path) -> None:
    text = changed("time: 2 s, processes: 3", "processes: 3, promise: pool of calls")
    assert "`promise` is about processes that go on until it is decided" in problem(tmp_path, text)


def test_calls_are_counted_where_it_is_promised_and_one_block_is_enough_of_a_process(tmp_path: Path) -> None:
    for words, least_ns in (("", 25_000_000), (", min time: 50 ms", 50_000_000), (", time: 10 ms", 10_000_000)):
        text = changed("time: 2 s, processes: 3", f"processes: 1..40, promise: independent calls{words}")
        found = scenario(loaded(tmp_path, text).targets[0], "single-stream")
        assert (found.counts_calls, found.pooled, found.min_ns) == (True, False, least_ns)


def test_calls_that_wait_for_each_other_are_not_promised_alone(tmp_path: Path) -> None:
    text = changed("offline: {batch: 64,", "offline: {batch: 64, processes: adaptive, promise: independent calls,")
    said = problem(tmp_path, text)
    assert "`promise: independent calls` is for single-stream and multi-stream: elsewhere calls wait" in said


def test_so_few_processes_that_their_votes_could_not_decide_are_refused(tmp_path: Path) -> None:
    text = changed("time: 2 s, processes: 3", "processes: 1..8, promise: independent calls")
    assert "takes at least 9 that agree: write `9..40`" in problem(tmp_path, text)


def asking(text: str, limit: str) -> str:
    """The contract with this limit as its only ones of single-stream latencies."""
    text = changed("latency p50: 1 ms, latency p99: at most 5 ms", limit, text)
    return changed("latency p99: 3 ms, queries: 1000", "queries: 1000", text)


@pytest.mark.parametrize(
    ("limit", "processes", "least", "remedy"),
    [
        ("latency p99: 5 ms", "adaptive", 587, "write `processes: 1..710`, or leave `promise` out"),
        ("latency p99: 5 ms", "8..586", 587, "write `processes: 1..710`, or leave `promise` out"),
        ("latency p90: 5 ms", "adaptive", 56, "write `processes: 1..70`, or leave `promise` out"),
        ("latency p50: 9 ms, latency p90: 5 ms", "8..55", 56, "write `processes: 1..70`, or leave `promise` out"),
        ("latency p99: 5 ms", "8..1000, error rate: 0.01 %", 1065, "more than 1000 cannot be: leave `promise` out"),
    ],
)
def test_a_pool_that_no_run_could_show_kept_is_refused(
    tmp_path: Path, limit: str, processes: str, least: int, remedy: str
) -> None:
    text = changed("time: 2 s, processes: 3", f"processes: {processes}, promise: pool of calls")
    said = problem(tmp_path, asking(text, limit))
    assert f"it takes at least {least:,} processes without one call over the limit, and `processes` ends at" in said
    assert remedy in said


@pytest.mark.parametrize(
    ("limit", "processes"),
    [("latency p50: 5 ms", "adaptive"), ("latency p90: 5 ms", "8..56"), ("latency p99: 5 ms", "1..587")],
)
def test_a_pool_that_a_run_could_just_show_kept_is_taken(tmp_path: Path, limit: str, processes: str) -> None:
    text = changed("time: 2 s, processes: 3", f"processes: {processes}, promise: pool of calls")
    found = loaded(tmp_path, asking(text, limit))
    assert scenario(found.targets[0], "single-stream").pooled


def test_a_zone_of_indifference_is_a_share_of_each_limit_and_none_unless_it_is_written(tmp_path: Path) -> None:
    for words, share in (("", 0.0), (", indifference: 2 %", 0.02), (", indifference: 0 %", 0.0)):
        for processes in ("3", "adaptive"):
            text = changed("time: 2 s, processes: 3", f"processes: {processes}{words}")
            assert scenario(loaded(tmp_path, text).targets[0], "single-stream").indifference == share


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("indifference: 60 %", "`60 %` is out of bounds: it is from 0 % to 50 %"),
        ("indifference: 2 ms", "2 ms"),
    ],
)
def test_a_zone_wider_than_half_the_limit_or_with_a_unit_is_refused(tmp_path: Path, written: str, said: str) -> None:
    assert said in problem(tmp_path, changed("time: 2 s, processes: 3", f"time: 2 s, {written}"))


def test_accuracy_is_exact_and_has_no_zone(tmp_path: Path) -> None:
    assert "`indifference`" in problem(tmp_path, changed("top-1: 97 %", "top-1: 97 %, indifference: 2 %"))


@pytest.mark.parametrize(("words", "least_ms"), [("3", 200), ("adaptive", 100), ("adaptive, time: 50 ms", 50)])
def test_where_processes_only_vote_the_least_time_is_shorter(tmp_path: Path, words: str, least_ms: int) -> None:
    text = changed("time: 2 s, processes: 3", f"processes: {words}")
    assert scenario(loaded(tmp_path, text).targets[0], "single-stream").min_ns == least_ms * 1_000_000
