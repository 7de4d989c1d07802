"""A part that is at fault hides no problem of the other parts, and makes none up."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.contract.check import check_reading
from bench.contract.load import read
from bench.contract.nodes import Node, Pairs, Scalar, compose
from tests.contract.contracts import changed, write

TEXT = """\
benchpact: 1
model:
  name: digits-cnn
  version: 1
  framework: pytorch
  framework version: 2.13.0
  parameters: 9930
artifacts:
  onnx:
    path: digits.onnx
  openvino:
    path: digits.xml
    files: [{path: digits.bin}]
  torchscript: digits.ts.pt
inputs:
  image: {dtype: float32, shape: [n, 1, side, side], range: [0, 1]}
outputs:
  logits: {dtype: float32, shape: [n, 10]}
dims: {side: 8}
batch: n
validation:
  samples: validation.npz
  labels: labels.npz
  predictions: reference.npz
  output: logits
limits:
  single-stream: {latency p99: 5 ms, time: 3 s, min time: 3 s, processes: 8..40, error rate: 5 %}
  server: {rate: 100/s, latency p99: 5 ms, max batch: 4, max wait: 1 ms, queue: 10, dropped: 1 %}
  multi-stream: {samples: 4, latency p90: 9 ms, processes: 8..60, promise: pool of calls}
  accuracy: {top-1: 97 %}
  agreement: {max abs difference: 1e-3}
  artifact size: 1 MiB
targets:
  ort:
    backend: onnxruntime
    device: cpu
    threads: 1
    precision: fp32
    residency: host
    options: {graph optimization: all}
    limits: {offline: {batch: 8, throughput: 1/s}}
  script: {backend: pytorch, options: {artifact: torchscript}}
  lab:
"""
SITE = """\
targets:
  lab:
    backend: openvino
    options: {streams: 2}
    threads: 2
"""


def told(folder: Path, text: str, site: str = SITE) -> list[str]:
    """Every problem of the contract and of all that it names."""
    path = write(folder, text)
    found = check_reading(read(path, write(folder, site, "lab.yaml")))
    return [str(problem).removeprefix(f"{folder}/") for problem in found.problems]


def scalars(node: Node, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Scalar, bool]]:
    """What is written, with the keys that lead to it, and whether it is a key."""
    if isinstance(node, Scalar):
        yield " ".join(above), node, False
    elif isinstance(node, Pairs):
        for key, value in node.pairs:
            yield " ".join((*above, key.text)), key, True
            yield from scalars(value, (*above, key.text))
    else:
        for index, item in enumerate(node.items):
            yield from scalars(item, (*above, str(index)))


def replaced(text: str, scalar: Scalar, new: str) -> str:
    lines = text.splitlines()
    line, start = lines[scalar.place.line - 1], scalar.place.column - 1
    lines[scalar.place.line - 1] = line[:start] + new + line[start + len(scalar.text) :]
    return "\n".join(lines) + "\n"


def _owner(name: str) -> str:
    return name.rpartition(" ")[0]


WRITTEN = [(name, one, is_key) for name, one, is_key in scalars(compose(TEXT.encode(), "x")) if one.text]
VALUES = [pytest.param(one, id=name) for name, one, is_key in WRITTEN if not is_key]
FREE = ("artifacts", "inputs", "outputs", "dims", "targets", "targets ort options")
"""Tables whose keys are the user's own: what is written there names something else, and is judged as that."""
KEYS = [pytest.param(one, id=name) for name, one, key in WRITTEN if key and _owner(name) not in FREE]
SITE_VALUES = [
    pytest.param(one, id=name) for name, one, is_key in scalars(compose(SITE.encode(), "x")) if one.text and not is_key
]


def test_the_contract_is_true(folder: Path) -> None:
    assert told(folder, TEXT) == []


@pytest.mark.parametrize("scalar", VALUES)
def test_a_value_that_cannot_be_read_is_the_one_problem(folder: Path, scalar: Scalar) -> None:
    found = told(folder, replaced(TEXT, scalar, "[[[]]]"))
    assert len(found) == 1, found
    assert found[0].startswith(f"contract.yaml:{scalar.place.line}:"), found


@pytest.mark.parametrize("scalar", KEYS)
def test_a_key_that_is_none_is_the_one_problem(folder: Path, scalar: Scalar) -> None:
    found = told(folder, replaced(TEXT, scalar, f"{scalar.text}zz"))
    assert len(found) == 1, found
    assert found[0].startswith(f"contract.yaml:{scalar.place.line}:"), found


LINES = [index for index, line in enumerate(TEXT.splitlines()) if not line.endswith(":") or line == "  lab:"]
"""The lines that hold a key and its whole value."""


@pytest.mark.parametrize("index", LINES)
def test_a_key_that_stands_twice_is_the_one_problem(folder: Path, index: int) -> None:
    lines = TEXT.splitlines()
    lines.insert(index + 1, f"{lines[index].split(':')[0]}: {{a: 1}}")
    (found,) = told(folder, "\n".join(lines))
    assert found.startswith(f"contract.yaml:{index + 2}:"), found
    assert f"stands here twice, first in line {index + 1}: leave one out" in found


@pytest.mark.parametrize(("old", "new"), [("limits:\n", "limits: &a\n"), ("name: digits", "name: !!str digits")])
def test_what_yaml_has_and_a_contract_has_not_is_the_one_problem(folder: Path, old: str, new: str) -> None:
    (found,) = told(folder, TEXT.replace(old, new, 1))
    assert "not read here: leave it out" in found


def test_a_range_that_the_dtype_does_not_hold_is_one_problem_and_no_warning(folder: Path) -> None:
    (problem,) = told(folder, TEXT.replace("range: [0, 1]", "range: [0, 1e39]"))
    assert "`range` leaves float32" in problem


def test_a_key_that_stands_twice_hides_no_other_problem(folder: Path) -> None:
    (folder / "digits.xml").unlink()
    text = changed("batch: n\n", "batch: n\nbatch: m\n", TEXT).replace("latency p90", "p9")
    found = told(folder, text, SITE.replace("threads: 2", "threads: 2\n    threads: none"))
    assert [one.split(": ")[1] for one in found] == [
        "`digits.xml`",
        "`batch` stands here twice, first in line 20",
        "`p9` is not a latency percentile",
        "`threads` stands here twice, first in line 5",
    ]


@pytest.mark.parametrize("seed", range(60))
def test_of_two_faults_each_is_told_as_if_it_were_alone(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    chosen = rng.sample([(one, is_key) for name, one, is_key in WRITTEN if not (is_key and _owner(name) in FREE)], 2)
    later, earlier = sorted(chosen, key=lambda one: (-one[0].place.line, -one[0].place.column))
    alone = {message(one) for fault in chosen for one in told(folder, spoilt(TEXT, *fault))}
    both = {message(one) for one in told(folder, spoilt(spoilt(TEXT, *later), *earlier))}
    assert both == alone or (both < alone and _is_inside(earlier[0], later[0]))


def _is_inside(outer: Scalar, inner: Scalar) -> bool:
    """Whether one stands in what the other names, and goes with it."""
    names = {id(one): name for name, one, _ in WRITTEN}
    return names[id(inner)].startswith(names[id(outer)])


def message(problem: str) -> str:
    """Without its place, which another fault of the line moves."""
    return problem.split(": ", 1)[1]


def spoilt(text: str, scalar: Scalar, is_key: bool) -> str:
    return replaced(text, scalar, f"{scalar.text}zz" if is_key else "[[[]]]")


@pytest.mark.parametrize("scalar", SITE_VALUES)
def test_a_fault_of_the_site_is_the_one_problem(folder: Path, scalar: Scalar) -> None:
    found = told(folder, TEXT, replaced(SITE, scalar, "[[[]]]"))
    assert len(found) == 1, found
    assert found[0].startswith(f"lab.yaml:{scalar.place.line}:"), found


@pytest.mark.parametrize("scalar", [*VALUES, *KEYS])
def test_a_fault_hides_nothing_of_what_has_nothing_to_do_with_it(folder: Path, scalar: Scalar) -> None:
    """Another fault, in a file, is told beside every other that does not stand in the very words that name it."""
    (folder / "digits.xml").unlink()
    found = told(folder, replaced(TEXT, scalar, "[[[]]]" if scalar in [one.values[0] for one in VALUES] else "zz"))
    own = scalar.place.line in (8, 11, 12, 13)
    assert own or any(one.startswith("contract.yaml:12:11: `digits.xml`: there is no such file") for one in found)


def test_all_that_is_wrong_is_told_by_check_run_and_sweep(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.__main__ import main

    monkeypatch.chdir(folder)
    write(
        folder,
        """\
benchpact: 1
model: {name: two, version: 1}
artifacts: {onxx: nofile.onnx}
inputs: {x: {dtype: float64, shape: ["n", 4]}}
outputs: {"y": {dtype: float32, shape: ["n", 3]}}
batch: "n"
validation: {samples: nosamples.npz}
limits: {single-stream: {latency p9: 1 ms}}
targets: {ort: {backend: onnxruntime, device: gpu, options: {spin: true}}}
""",
        "two.yaml",
    )
    for words in (["check", "two.yaml"], ["run", "two.yaml"], ["sweep", "two.yaml", "--over", "threads=1,2"]):
        assert main(words) == 2
        told = capsys.readouterr().err.splitlines()
        places = [line.removeprefix("benchpact: two.yaml:").split(": ")[0] for line in told]
        assert places == ["3:13", "3:19", "7:23", "8:26", "9:47", "9:62"], told
    assert not (folder / "results").exists()


def test_a_run_on_one_target_is_not_told_of_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.__main__ import main

    text = changed("options: {artifact: torchscript}", "options: {nonsense: 1}", TEXT).replace("latency p90", "p9")
    path, site = write(folder, text), write(folder, SITE, "lab.yaml")
    assert main(["run", str(path), "--targets", str(site), "--on", "ort", "--results", str(folder / "r")]) == 2
    assert "`p9` is not a latency percentile" in (err := capsys.readouterr().err)
    assert "nonsense" not in err


def test_a_link_out_of_the_folder_is_not_opened(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "other.onnx"
    shutil.copy(folder / "labels.npz", outside)
    (folder / "digits.onnx").unlink()
    (folder / "digits.onnx").symlink_to(outside)
    (problem,) = told(folder, TEXT)
    assert "is a link that leaves the contract's folder" in problem
