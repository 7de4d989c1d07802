"""That PyTorch computes fp32 as was asked for, whichever of its words the user's own code has set."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest
import torch

from backends import torch_arithmetic
from backends.pytorch import PyTorchAdapter
from bench.conformance import examples
from bench.device.adapter import AdapterError, Settings
from tests.backends.torch_models import as_eager

needs_words = pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="torch before 2.9 has no words")
WORDS = [
    *(("", word) for word in ("tf32", "bf16")),
    *((place, "tf32") for place in ("cudnn", "cuda.matmul", "cudnn.conv", "cudnn.rnn")),
    *((place, word) for place in ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn") for word in ("tf32", "bf16")),
]


@pytest.fixture(autouse=True)
def exact_again() -> Iterator[None]:
    yield
    torch_arithmetic.say(torch, tf32=False)


def part(place: str) -> Any:
    return attrgetter(place)(torch.backends) if place else torch.backends


@needs_words
@pytest.mark.parametrize(("place", "word"), WORDS)
def test_no_word_of_the_users_code_survives_being_told_and_none_goes_unseen(place: str, word: str) -> None:
    for asked in (False, True):
        torch_arithmetic.say(torch, tf32=asked)
        part(place).fp32_precision = word
        if not (asked and place.startswith("cu")):
            with pytest.raises(AdapterError, match=rf"not what was asked for: .*fp32_precision is {word}, not"):
                torch_arithmetic.demand(torch, tf32=asked)
        torch_arithmetic.say(torch, tf32=asked)
        wanted = "tf32" if asked else "ieee"
        for layer in ("cuda.matmul", "cudnn.conv", "cudnn.rnn"):
            assert part(layer).fp32_precision == wanted
        for layer in ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"):
            assert part(layer).fp32_precision == "ieee"


def test_an_old_word_that_is_otherwise_is_seen_too() -> None:
    for asked in (False, True):
        torch_arithmetic.say(torch, tf32=asked)
        torch.backends.cudnn.allow_tf32 = not asked
        with pytest.raises(AdapterError, match="not what was asked for"):
            torch_arithmetic.demand(torch, tf32=asked)
        torch_arithmetic.say(torch, tf32=asked)
        assert torch.backends.cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is asked


def test_a_word_that_cannot_be_set_is_refused_and_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    with pytest.raises(AdapterError, match="float32 matmul precision is high, not highest"):
        torch_arithmetic.say(torch, tf32=False)


def test_arithmetic_that_the_forward_itself_changes_is_no_fp32() -> None:
    example = as_eager(examples.mlp(), "Loosening")
    with PyTorchAdapter().open(example.model, Settings()) as session:
        assert session.facts()["precision"] == "fp32"
        session.run(session.stage(example.queries[0]))
        with pytest.raises(AdapterError, match="the arithmetic of fp32 is not what was asked for"):
            session.facts()
