"""From a contract to its cases."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contract.model import Contract, Limits, Place, Requirement, ScenarioSettings, Target, Validation
from bench.device.adapter import TensorSpec
from bench.errors import ContractError
from bench.metrics import find
from bench.plan import case_ids, left_out, plan

HERE = Place("contract.yaml", 1, 1)


def requirement(block: str, metric: str) -> Requirement:
    known = find(block, metric) if block else None
    unit, direction = (known.unit, known.direction) if known else ("bytes", "at most")
    return Requirement(block, metric, unit, direction, 1.0, "1", HERE)


def target(name: str, *requirements: Requirement) -> Target:
    blocks = dict.fromkeys(one.block for one in requirements if one.block in ("single-stream", "offline", "cold-start"))
    limits = Limits(requirements, tuple(ScenarioSettings(block) for block in blocks))
    return Target(name, "null", "cpu", 1, "fp32", "host", {}, (), limits, HERE)


def contract(*targets: Target) -> Contract:
    return Contract(
        path=Path("contract.yaml"), name="m", version="1", framework=None, framework_version=None, parameters=None,
        artifacts=(), inputs=(), outputs=(TensorSpec("y", "float32", (1,)),), dims={}, batch_dim=None, state={},
        validation=Validation(), targets=targets,
    )  # fmt: skip


P99, RATE = requirement("single-stream", "latency p99"), requirement("offline", "throughput")
TOP, SIZE = requirement("accuracy", "top-1"), requirement("", "artifact size")


def test_a_target_has_one_case_a_scenario_and_accuracy_rides_on_the_first() -> None:
    cases = plan(contract(target("ort-1", RATE, TOP, P99, SIZE))).cases
    assert [case.id for case in cases] == ["ort-1.single-stream", "ort-1.offline"]
    assert cases[0].requirements == (P99, TOP, SIZE) and cases[0].collects_outputs
    assert cases[1].requirements == (RATE,) and not cases[1].collects_outputs


def test_accuracy_alone_still_needs_a_case_to_get_outputs_from() -> None:
    (case,) = plan(contract(target("a", TOP))).cases
    assert case.scenario.scenario == "single-stream" and case.scenario.processes == 1


def test_only_takes_ids_blocks_metrics_and_patterns() -> None:
    one = contract(target("a", P99, RATE, TOP))
    for words, wanted in (
        (["single-stream latency p99"], ["a.single-stream"]),
        (["offline"], ["a.offline"]),
        (["throughput"], ["a.offline"]),
        (["*p99", "off*"], ["a.single-stream", "a.offline"]),
    ):
        assert [case.id for case in plan(one, only=words).cases] == wanted


def test_a_word_that_names_nothing_is_refused_with_what_is_near() -> None:
    one = contract(target("ort-1", P99))
    with pytest.raises(ContractError, match="did you mean `ort-1`"):
        plan(one, on=["ort1"])
    with pytest.raises(ContractError, match="did you mean `single-stream latency p99`"):
        plan(one, only=["single-stream latency p9"])


def test_an_empty_word_is_refused_for_it_would_leave_nearly_everything_out() -> None:
    with pytest.raises(ContractError, match="--only '': it names nothing"):
        plan(contract(target("a", P99, SIZE)), only=[""])


def test_a_target_that_was_named_is_not_dropped_in_silence() -> None:
    both = contract(target("a", P99, RATE), target("b", P99))
    with pytest.raises(ContractError, match="--on b --only offline: b has no such requirement"):
        plan(both, on=["a", "b"], only=["offline"])
    assert [case.id for case in plan(both, only=["offline"]).cases] == ["a.offline"]


def test_what_only_leaves_out_is_told() -> None:
    both = contract(target("a", P99, RATE, SIZE), target("b", P99))
    (told,) = left_out(both, plan(both, only=["single-stream"]), ["single-stream"])
    assert told.startswith("--only single-stream: 2 of 4 requirements are judged")
    assert left_out(both, plan(both, only=["*"]), ["*"]) == left_out(both, plan(both), []) == ()


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True))
def test_case_ids_are_safe_file_names_and_nobody_elses(names: list[str]) -> None:
    ids = list(case_ids(names, "single-stream").values())
    assert all(one.replace(".", "").replace("-", "").replace("_", "").isascii() and "/" not in one for one in ids)
    assert len({one.lower() for one in ids}) == len(names)


def test_a_made_up_name_never_takes_a_real_one() -> None:
    assert len(set(case_ids(["a!", "a?", "a-2", "A"], "offline").values())) == 4
