"""Whatever is done to a contract's text, reading and checking it gives a Contract or problems, and nothing else."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.contract.check import check_reading
from bench.contract.faults import Faults
from bench.contract.load import read_data
from bench.contract.model import Contract
from bench.contract.problems import ContractProblems
from tests.contract.contracts import WHOLE

SHORT = """\
benchpact: 1
model: {name: m, version: 1.0, parameters: 5}
artifacts: {onnx: m.onnx}
inputs: {x: {dtype: float32, shape: [b, h], range: [0, 1]}}
outputs: {y: {dtype: float32, shape: [b, 3]}}
dims: {h: 4}
batch: b
validation: {samples: v.npz, labels: l.npz}
limits: {single-stream: {latency p99: 5 ms, time: 1 s}, accuracy: {top-1: 97 %}, artifact size: 1 MB}
targets: {a: {backend: onnxruntime, threads: 2, options: {k: v}, limits: {offline: {batch: 2, throughput: 1/s}}}}
"""
WORDS = (
    *("null", "~", "''", "[]", "{}", "[1]", "{a: b}", "nan", ".inf", "-.inf", "1e999", "-1", "0", "1e-4", "0x10", "on"),
    *("true", "1.10", "12:30", "&a x", "*a", "!!int 5", "!x y", "|", ">", "- a", "? a", "a: b", "'", '"', "\t", "\x00"),
    *(
        "5 mss",
        "at least 5 ms",
        "at most",
        ">= 1",
        "<=",
        "97",
        "∞",
        "５",
        "٣",
        "\u2028",
        "\x85",
        "😀",
        "#",
        "%",
        "@",
        "`",
    ),
    *("9" * 400, "a" * 400, "../x", "/etc/passwd", "batch", "1_000", "1__0", "<<", "=", "---", "..."),
)


def is_read(data: bytes, folder: Path) -> bool:
    """Whether it was a contract or was refused; any exception but ContractProblems fails the test.

    What could be read of a contract that is refused is looked at as well.
    """
    path = folder / "contract.yaml"
    try:
        reading = read_data(data, path)
    except ContractProblems as error:
        lines = str(error).splitlines()
    else:
        assert isinstance(reading.contract, Contract)
        if not reading.problems:
            assert reading.contract.faults == Faults()
            return True
        lines = [str(problem) for problem in check_reading(reading).problems]
        assert len(lines) >= len(reading.problems.sorted())
    assert lines
    assert all(len(line) < 2000 and line.startswith(f"{path}:") for line in lines)
    return False


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed))
        choice = rng.randrange(3)
        if choice == 0:
            changed[at] = rng.randrange(256)
        elif choice == 1:
            del changed[at : at + rng.randint(1, 8)]
        else:
            changed[at:at] = bytes(rng.choices(range(256), k=rng.randint(1, 4)))
    return bytes(changed)


def mutate_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    choice = rng.randrange(5)
    if choice == 0:
        lines.insert(at, lines[other])
    elif choice == 1:
        del lines[at]
    elif choice == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif choice == 3:
        lines[at] = b"  " * rng.randint(0, 3) + lines[at].lstrip()
    else:
        del lines[at:]
    return b"\n".join(lines)


def mutate_tokens(data: bytes, rng: random.Random) -> bytes:
    tokens = re.findall(r"\w+|\W", data.decode())
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(tokens))
        tokens[at] = rng.choice((*WORDS, rng.choice(tokens), ""))
    return "".join(tokens).encode()


def mutate_values(data: bytes, rng: random.Random) -> bytes:
    """A value becomes one of another type."""
    found = list(re.finditer(rb"(?<=: )[^,{}\[\]\n]+|\[[^\[\]]*\]|\{[^{}]*\}", data))
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(WORDS).encode() + data[match.end() :]


@pytest.mark.parametrize("mutate", [mutate_bytes, mutate_lines, mutate_tokens, mutate_values])
def test_ten_thousand_mutations_are_read_or_refused(
    tmp_path: Path, mutate: Callable[[bytes, random.Random], bytes]
) -> None:
    rng = random.Random(20251124)
    results = set()
    for index in range(2500):
        text = WHOLE if index % 50 == 0 else SHORT
        results.add(is_read(mutate(text.encode(), rng), tmp_path))
    assert results == {True, False}  # some mutations leave a contract, most do not


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_stretch_of_a_contract_may_become_any_text(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SHORT)))
    end = data.draw(st.integers(start, min(len(SHORT), start + 40)))
    text = SHORT[:start] + data.draw(st.text(max_size=20) | st.sampled_from(WORDS)) + SHORT[end:]
    is_read(text.encode("utf-8", "surrogatepass"), Path("folder"))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert not is_read(data, Path("folder"))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*"[]{},:-?&*!|>'\"%@`#\n\t ", "a", "1", "- ", ": ", "\n  "]), max_size=40))
def test_yaml_of_punctuation_is_refused(parts: list[str]) -> None:
    assert not is_read("".join(parts).encode(), Path("folder"))
