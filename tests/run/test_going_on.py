"""Which stored cases ``--resume`` measures again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.results import Failure
from bench.run import AGAIN, cut_short
from tests.store.runs import case, process


@pytest.mark.parametrize("error", AGAIN)
def test_a_case_that_a_budget_or_a_lost_link_cut_short_is_measured_again(error: str) -> None:
    lost = replace(process("a", 1), failure=Failure(error, "the link died", "measure"))
    assert cut_short(case("a", process("a", 0, "a.0.npy"), lost))


@pytest.mark.parametrize("error", ["WorkerCrashed", "ModelRejected", "MeasurementInvalid"])
def test_a_case_whose_model_failed_is_a_result_and_stays(error: str) -> None:
    failed = replace(process("a", 0), failure=Failure(error, "no", "load"))
    assert not cut_short(case("a", failed))


def test_a_whole_case_stays() -> None:
    assert not cut_short(case("a", process("a", 0, "a.0.npy")))
