"""``init`` and integer inputs: values that a table does not have are told from sizes, and never blamed on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from bench.commands.contracts import init_contract
from bench.device.adapter import TensorSpec
from bench.errors import ContractError
from bench.propose import propose
from bench.propose.draft import Draft, with_batch
from bench.propose.search import Hints, search
from bench.results import Failure
from tests.propose import onnx_models as models
from tests.propose.onnx_models import FLOAT, INT64
from tests.propose.test_propose import proposed
from tests.propose.test_search import draft

ONLY_ACCEPTED = "is only what the model was seen to accept"


def ranges(one: Any) -> dict[str, tuple[float, float]]:
    return {each.spec.name: (each.low, each.high) for each in one.inputs}


def tables(path: Path, shape: list[Any], rows: dict[str, int]) -> Path:
    """A table of so many rows an input, summed."""
    nodes: list[Any] = [("Gather", [f"table_{name}", name], [f"row_{name}"], {}) for name in rows]
    nodes.append(("Sum", [f"row_{name}" for name in rows], ["y"], {}))
    stored = {f"table_{name}": np.ones((count, 4), np.float32) for name, count in rows.items()}
    return models.save(path, nodes, dict.fromkeys(rows, (INT64, shape)), {"y": (FLOAT, [*shape, 4])}, stored)


def test_each_of_several_tables_gets_its_own_range(tmp_path: Path) -> None:
    rows = {"input_ids": 30, "token_type_ids": 2}
    contract = proposed(tables(tmp_path / "m.onnx", ["batch_size", "sequence_length"], rows))
    assert ranges(contract) == {"input_ids": (0, 29), "token_type_ids": (0, 1)}
    assert dict(contract.dims) == {"sequence_length": 128}
    assert ONLY_ACCEPTED in (tmp_path / "contract.yaml").read_text()


def test_a_table_longer_than_usual_gets_the_usual_range_without_a_remark(tmp_path: Path) -> None:
    assert ranges(proposed(tables(tmp_path / "m.onnx", ["batch"], {"a": 300}))) == {"a": (0, 255)}
    assert ONLY_ACCEPTED not in (tmp_path / "contract.yaml").read_text()


def test_bytes_of_an_image_have_the_range_of_bytes(tmp_path: Path) -> None:
    nodes: list[Any] = [("Cast", ["image"], ["y"], {"to": FLOAT})]
    image = {"image": (TensorProto.UINT8, [1, 4, 4, 3])}
    model = models.save(tmp_path / "m.onnx", nodes, image, {"y": (FLOAT, [1, 4, 4, 3])})
    assert ranges(proposed(model)) == {"image": (0, 255)}


def wordless(**highest: int) -> Callable[[Draft], Failure | None]:
    """A model whose tables end there, and that does not say where."""

    def model(one: Draft) -> Failure | None:
        bad = any(each.high > highest.get(each.spec.name, 1000) for each in one.inputs)
        return Failure("RuntimeError", "no") if bad else None

    return model


CATEGORIES = tuple(TensorSpec(name, "int64", ("batch",)) for name in "abcd")


def test_a_model_that_does_not_say_which_value_is_wrong_gets_ranges_that_it_takes() -> None:
    found = search(with_batch(draft(*CATEGORIES)), Hints(), wordless(a=6, b=0, c=11))
    assert found.failure is None
    assert ranges(found.draft) == {"a": (0, 1), "b": (0, 0), "c": (0, 10), "d": (0, 255)}


def test_values_that_start_at_one_are_found() -> None:
    def model(one: Draft) -> Failure | None:
        return None if all(each.low >= 1 and each.high <= 5 for each in one.inputs) else Failure("RuntimeError", "no")

    found = search(with_batch(draft(*CATEGORIES)), Hints(), model)
    assert (found.failure, set(ranges(found.draft).values())) == (None, {(1, 1)})


def test_a_size_and_values_are_found_together() -> None:
    ids = TensorSpec("ids", "int64", ("batch", "tokens"))

    def model(one: Draft) -> Failure | None:
        return None if one.dims["tokens"] == 32 and one.inputs[0].high <= 29 else Failure("RuntimeError", "no")

    found = search(with_batch(draft(ids)), Hints(), model)
    assert (found.failure, found.draft.dims["tokens"], ranges(found.draft)) == (None, 32, {"ids": (0, 10)})


@pytest.mark.parametrize("dims", [[], ["tokens=16"]])
def test_where_nothing_is_accepted_values_may_be_at_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dims: list[str]
) -> None:
    monkeypatch.setattr("bench.propose.trying.MAX_TRIES", 4)
    monkeypatch.setattr("bench.propose.trying.FEW_TRIES", 1)
    nodes: list[Any] = [
        ("Sub", ["ids", "far"], ["moved"], {}),
        ("Gather", ["table", "moved"], ["y"], {}),
    ]
    stored = {"far": np.array(4000), "table": np.ones((5, 4), np.float32)}
    shape = ["batch", "tokens"]
    model = models.save(tmp_path / "m.onnx", nodes, {"ids": (INT64, shape)}, {"y": (FLOAT, [*shape, 4])}, stored)
    told = "the values of `ids` may be at fault, whatever the sizes: give real ones with --samples FILE.npz"
    with pytest.raises(ContractError, match=told) as caught:
        propose(model, dims=dims, measure=False)
    assert ("--dim" in str(caught.value)) == (not dims)
    np.savez(tmp_path / "s.npz", ids=np.full((3, 16), 4002))
    assert dict(proposed(model, samples=tmp_path / "s.npz").dims) == {"tokens": 16}


def test_where_there_is_no_size_to_give_only_samples_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.propose.trying.MAX_TRIES", 4)
    nodes: list[Any] = [("Sub", ["ids", "far"], ["moved"], {}), ("Gather", ["table", "moved"], ["y"], {})]
    stored = {"far": np.array(4000), "table": np.ones((5, 4), np.float32)}
    model = models.save(tmp_path / "m.onnx", nodes, {"ids": (INT64, [1, 4])}, {"y": (FLOAT, [1, 4, 4])}, stored)
    assert "the values of `ids` may be at fault" in propose(model, measure=False)


def test_what_is_left_to_do_is_on_the_terminal_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = tables(tmp_path / "m.onnx", ["batch"], {"a": 7})
    assert init_contract(model, None, tmp_path / "contract.yaml", [], no_measure=True, force=False) == 0
    told = capfd.readouterr().err
    assert f"to do: `inputs`: the range of `a` {ONLY_ACCEPTED}" in told
    count = (tmp_path / "contract.yaml").read_text().count("TO DO")
    assert count > 1
    assert told.endswith(f", with {count} TO DOs in it: read it, then: benchpact run {tmp_path}/contract.yaml\n")
