"""From a contract and axes to configurations and the cases they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contract.model import Contract, Limits, Requirement, ScenarioSettings, Target, Trace
from bench.errors import ContractError
from bench.sweep.axes import parse
from bench.sweep.configurations import read, written
from bench.sweep.grid import FEW, MOST, QUICK, Grid, grid
from tests.run.test_plan import HERE, P99, RATE, SIZE, TOP, requirement
from tests.run.test_plan import contract as plain
from tests.store.runs import info

SERVED = requirement("server", "latency p99")


def target(name: str, *requirements: Requirement, backend: str = "openvino", processes: int = 4) -> Target:
    blocks = dict.fromkeys(one.block for one in requirements if one.block in ("single-stream", "server", "offline"))
    scenarios = tuple(ScenarioSettings(block, processes=processes, max_ns=900_000_000) for block in blocks)
    return Target(
        name, backend, "cpu", 1, "fp32", "host", {"artifact": "onnx"}, ("threads", "device"),
        Limits(requirements, scenarios), HERE,
    )  # fmt: skip


def contract(*targets: Target) -> Contract:
    return replace(plain(*targets), batch_dim="batch")


def over(one: Contract, *words: str, **more: list[str]) -> Grid:
    return grid(one, parse(words), **more)


def cases(found: Grid) -> list[str]:
    return [case.id for case in found.plan.cases]


def test_what_an_axis_has_no_part_in_is_measured_once() -> None:
    found = over(contract(target("a", P99, RATE)), "threads=1,2", "batch=4,8")
    assert cases(found) == [
        "a-threads-1.single-stream", "a-threads-1-batch-4.offline", "a-threads-1-batch-8.offline",
        "a-threads-2.single-stream", "a-threads-2-batch-4.offline", "a-threads-2-batch-8.offline",
    ]  # fmt: skip
    assert [one.name for one in found.configurations] == [
        "a threads=1 batch=4", "a threads=1 batch=8", "a threads=2 batch=4", "a threads=2 batch=8",
    ]  # fmt: skip
    assert found.configurations[3].parts == ("a threads=2", "a threads=2 batch=8")


def test_each_case_runs_with_its_values() -> None:
    found = over(contract(target("a", P99, RATE, SERVED)), "threads=3", "streams=2", "batch=8", "rate=50")
    by_scenario = {case.scenario.scenario: case for case in found.plan.cases}
    assert {case.target.threads for case in found.plan.cases} == {3}
    assert by_scenario["offline"].target.options == {"artifact": "onnx", "streams": 2}
    assert by_scenario["offline"].target.defaults == ("device",)
    assert by_scenario["offline"].scenario.batch == 8 and by_scenario["single-stream"].scenario.batch == 1
    assert by_scenario["server"].scenario.rate_per_s == 50.0
    assert by_scenario["server"].requirements == (SERVED,)


def test_a_scenario_that_the_contract_does_not_ask_for_is_measured_all_of_its_time_and_judged_by_nothing() -> None:
    found = over(contract(target("a", P99)), "batch=2", "rate=100")
    served, offline = (case for case in found.plan.cases if case.scenario.scenario != "single-stream")
    for case in (served, offline):
        assert case.requirements == ()
        assert case.scenario.min_ns == case.scenario.max_ns == 900_000_000 and case.scenario.processes == 4
    assert found.plan.cases[0].requirements == (P99,)


def test_a_scenario_that_only_leaves_out_is_swept_as_the_contract_has_it() -> None:
    served = target("a", P99, SERVED)
    crew = replace(
        served.limits.scenarios[1], arrivals="bursts of 8", workers=4, max_batch=8, max_wait_ns=1000, queue=9,
        timeout_ns=7, rate_per_s=20.0, search_ns=10**9, processes=40, least_processes=1, by_default=True,
    )  # fmt: skip
    one = replace(served, limits=replace(served.limits, scenarios=(served.limits.scenarios[0], crew)))
    (swept,) = (
        case for case in over(contract(one), "rate=100", only=["single-stream"]).plan.cases if case.scenario.serves
    )
    assert swept.requirements == ()
    asked = replace(crew, rate_per_s=100.0, search_ns=0, processes=FEW, least_processes=None, by_default=False)
    assert swept.scenario == replace(asked, min_ns=crew.max_ns)


def by_default(name: str, *requirements: Requirement) -> Target:
    """A target whose contract does not say how many processes there are."""
    one = target(name, *requirements)
    scenarios = [replace(one, processes=40, least_processes=1, by_default=True) for one in one.limits.scenarios]
    return replace(one, limits=replace(one.limits, scenarios=tuple(scenarios)))


def test_few_processes_are_taken_and_that_is_said_where_the_contract_does_not_say_how_many() -> None:
    found = over(contract(by_default("a", P99), target("b", P99)), "threads=1,2", "batch=2")
    assert {(one.target.name[0], one.scenario.processes, one.scenario.adaptive) for one in found.plan.cases} == {
        ("a", FEW, False),
        ("b", 4, False),
    }
    assert found.notices == (QUICK,)


def test_a_contract_that_asks_for_a_decision_gets_it_for_each_configuration() -> None:
    decided = by_default("a", P99)
    scenarios = tuple(replace(one, by_default=False) for one in decided.limits.scenarios)
    found = over(contract(replace(decided, limits=replace(decided.limits, scenarios=scenarios))), "threads=1,2")
    assert all(one.scenario.adaptive for one in found.plan.cases)
    assert found.notices == ()


def test_accuracy_is_measured_once_a_setup_not_once_a_batch_size() -> None:
    for limits in ((P99, RATE, TOP, SIZE), (RATE, TOP, SIZE)):
        found = over(contract(target("a", *limits)), "threads=1,2", "batch=1..64")
        bearers = [case for case in found.plan.cases if case.collects_outputs]
        assert [case.id for case in bearers] == ["a-threads-1.single-stream", "a-threads-2.single-stream"]
        assert all({TOP, SIZE} <= set(case.requirements) for case in bearers)
        for one in found.configurations:
            own = [case for case in found.plan.cases if case.target.name in one.parts]
            assert {asked for case in own for asked in case.requirements} == set(limits)


def test_a_swept_rate_takes_the_place_of_a_recorded_trace() -> None:
    traced = target("a", SERVED)
    settings = replace(traced.limits.scenarios[0], arrivals="trace", trace=Trace(Path("t.npy"), HERE), rate_per_s=7.0)
    one = contract(replace(traced, limits=replace(traced.limits, scenarios=(settings,))))
    (kept,) = over(one, "threads=1").plan.cases
    assert (kept.scenario.arrivals, kept.scenario.rate_per_s) == ("trace", 7.0)
    (swept,) = over(one, "rate=100").plan.cases
    assert (swept.scenario.arrivals, swept.scenario.trace, swept.scenario.rate_per_s) == ("poisson", None, 100.0)


def test_only_and_on_narrow_a_sweep_as_they_narrow_a_run() -> None:
    one = contract(target("a", P99, RATE), target("b", P99, RATE))
    assert cases(over(one, "threads=1", on=["b"], only=["offline"])) == ["b-threads-1.offline"]
    with pytest.raises(ContractError, match="--on c"):
        over(one, "threads=1", on=["c"])


def test_streams_are_varied_where_the_backend_has_them_and_that_is_said_where_it_has_not() -> None:
    ov, ort = target("ov", RATE), target("ort", RATE, backend="onnxruntime")
    found = over(contract(ov, ort), "streams=1,2")
    assert [one.name for one in found.configurations] == ["ov streams=1", "ov streams=2", "ort"]
    assert found.notices == ("ort: onnxruntime has no option `streams`, so it is not varied there",)
    with pytest.raises(ContractError, match="--over streams=1,2: onnxruntime has no option `streams`: leave it out"):
        over(contract(ort), "streams=1,2")


def test_a_model_of_one_batch_size_is_not_swept_over_others() -> None:
    with pytest.raises(ContractError, match="--over batch=1,2: the model's batch size is fixed"):
        over(plain(target("a", RATE)), "batch=1,2")


def test_more_configurations_than_anybody_waits_for_are_refused_at_once() -> None:
    words = [f"{name}={','.join(map(str, range(1, 64)))}" for name in ("threads", "batch", "rate")]
    with pytest.raises(ContractError, match=f"250,047 configurations, and {MOST} are the most"):
        over(contract(target("a", RATE)), *words)


def test_two_configurations_of_one_name_are_refused() -> None:
    one = contract(target("a", P99, RATE), target("a batch=1", P99, RATE))
    with pytest.raises(ContractError, match="two configurations would be called `a batch=1`"):
        over(one, "batch=1")


@given(
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(["threads=1,2", "streams=1,2", "batch=1..4", "rate=0.5,100"]), min_size=1, unique=True),
)
def test_cases_are_nobody_elses_and_every_configuration_is_whole_and_reads_back(
    names: list[str], words: list[str]
) -> None:
    found = over(contract(*(target(name, P99, RATE, SERVED, TOP) for name in names)), *words)
    ids = cases(found)
    assert len({one.lower() for one in ids}) == len(ids)
    assert len({one.name for one in found.configurations}) == len(found.configurations)
    known = {case.target.name for case in found.plan.cases}
    for one in found.configurations:
        own = [case for case in found.plan.cases if case.target.name in one.parts]
        assert sorted(case.scenario.scenario for case in own) == ["offline", "server", "single-stream"]
        assert set(one.parts) <= known
    stored = replace(info(), options={"sweep": written(found.axes, found.configurations)})
    assert read(stored) == found.configurations
