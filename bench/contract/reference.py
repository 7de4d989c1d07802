"""``docs/contract.md``: the contract reference, written from the grammar and the catalogue of metrics.

``python -m bench.contract.reference > docs/contract.md`` writes it anew; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench import units
from bench.artifacts import KINDS
from bench.contract import grammar
from bench.contract.kinds import Choice, Kind, Whole, WholeRange
from bench.contract.limits import HELP
from bench.contract.scenario_words import SETTINGS
from bench.contract.tables import Field, Record, Table
from bench.metrics import ARTIFACT_SIZE, BLOCKS, BY_BLOCK, TIMED, Metric, Unit

EXAMPLE = """\
benchpact: 1                       # the version of this format

model:
  name: digits-cnn
  version: 1.10                    # kept as it is written: "1.10", not 1.1
  framework: pytorch               # compared with what the artifacts say of themselves
  framework version: 2.13.0
  parameters: 9930                 # compared with the artifacts

artifacts:                         # one or several files of the same model; each target takes one it can run
  onnx: {path: digits.onnx, sha256: 34afbb38a1f2fd66646d2c57ab57104f2ddafaf5cd574802f10337bd46cdf7e4}
  torchscript: digits.ts.pt        # short for {path: digits.ts.pt}
  openvino:
    path: digits.xml
    files: [{path: digits.bin}]    # the weights stand in a second file

inputs:
  image: {dtype: float32, shape: [batch, 1, height, 8], range: [0, 1]}
  h: {dtype: float32, shape: [batch, 32]}
outputs:
  logits: {dtype: float32, shape: [batch, 10]}
  h_out: {dtype: float32, shape: [batch, 32]}
batch: batch                       # the free dimension that counts samples
dims: {height: 8}                  # what every other free dimension is
state: {h: h_out}                  # the output `h_out` is the next query's input `h`

validation:
  samples: val.npz                 # one array an input; without samples, inputs are drawn from the ranges
  labels: labels.npz
  predictions: reference.npz       # what the reference model answered
  output: logits                   # which output the labels are about

limits:                            # for every target
  single-stream: {latency p50: 1 ms, latency p99: at most 5 ms, peak memory: 300 MiB, time: 2 s}
  multi-stream: {samples: 8, latency p99: 20 ms}
  server:                          # queries arrive when they like; those that must wait, wait
    rate: 200/s
    latency p99: 10 ms
    max rate under p99 10 ms: at least 500/s   # how many might arrive in a second: searched for
  soak: {rate: 50/s, time: 2 h, memory growth: 1 MiB/h, latency drift: 5 %}   # what only shows in hours
  accuracy: {top-1: 97 %, "metrics:weighted_error": at most 0.1}
  agreement: {max abs difference: 1e-4, label agreement: 100 %}
  artifact size: 1 MiB

targets:
  ort-1:
    backend: onnxruntime
    device: cpu
    threads: 1
    precision: fp32
    residency: host
    options: {graph optimization: all}
    limits:                        # go before the common ones, line by line
      single-stream: {latency p99: 3 ms}
      offline: {batch: best, throughput: ">= 1200/s"}
      cold-start: {cold start: 2 s, load time: 200 ms, processes: 3}   # a quick look, at no stated error rate
  torch-ts: pytorch                # short for {backend: pytorch}
  pi4: {backend: onnxruntime, host: pi4, cores: 0-3, python: /usr/bin/python3, threads: 4}   # over SSH
"""
"""A whole contract; a test loads it."""

_INTRODUCTION = """\
# The contract file

<!-- Written by `python -m bench.contract.reference`; a test holds it equal to the program. Edit that. -->

A contract is one YAML file. It says what a model is, where its files lie, and what it may cost on each target.
`benchpact check contract.yaml` tells every problem at once, each with its line and column;
`benchpact schema > contract.schema.json` writes a JSON Schema by which editors complete and check it.

With the schema beside it, this first line makes an editor that has the YAML language server use it:

```yaml
# yaml-language-server: $schema=contract.schema.json
```

## A whole example

"""

_READING = """
## How the file is read

- Values are what is written: `version: 1.10` is "1.10", `on` and `yes` are words.
- A key that is not listed here is a problem; so is a key that stands twice. Anchors, aliases and tags are not read.
- The file is UTF-8, at most 1 MiB, and nested at most 16 deep.
- Paths are relative to the contract's folder and stay inside it: no `..`, no absolute path, no link that leads out.
- A file with a SHA-256 is read whole to compare it, by `check` and by `run`; at most 64 GiB of one file. An artifact
  that has a `sha256` must list the files that belong to it (OpenVINO's `.bin`, ONNX external data) under `files`, each
  with its own: weights are in them.
- Samples lie on the first axis: of each input that has the dimension `batch` names, and of every array in `samples`,
  `labels` and `predictions`. A model without `batch` takes its own number of samples a query and no other: with inputs
  of [4, 3], `samples` are [n, 3] with n a multiple of 4, and a query is 4 of them. [n, 4, 3] are n samples, each
  of them a whole query, and so are inputs that are generated: throughput counts each as one.
- A limit is a quantity with its unit. Its direction follows from the metric; `at most`, `at least`, `<=` or `>=`
  before it may say the same. A limit that begins with `>` must stand in quotes, because YAML gives `>` a meaning.
- `>= 97 %` and `97 %` of accuracy are the same. Your own metric, `module:function`, always needs its direction.
  The function of a module beside the contract gets `(outputs, labels)`, a dict of arrays by the outputs' names over all
  samples and the array of labels, and returns one finite number. It runs in a process of its own, with `--allow-code`
  only, for two minutes at most, or for as long as `--timeout` and `--time-budget` leave.
- Limits of a target go before the common ones, line by line. A scenario runs on a target when the two together
  have its block.
- Accuracy and agreement are computed over the whole validation set and are about that set: they have no interval.

## Where targets are described

A target stands in the contract, or only its name does (`pi4:`), and the site describes it in a targets file: the same
words under `targets:`. A target that stands in both takes the contract's words first. The file is the one that
`--targets` names; else the first that exists of `configs/targets.yaml` and `targets.yaml` beside the contract, and
`configs/targets.yaml` in the current directory.

```yaml
targets:
  pi4: {backend: onnxruntime, device: cpu, threads: 4, precision: fp32, residency: host, host: pi4, cores: 0-3}
```

With a `host` the model runs there, started by your own `ssh` with your config and keys; the name is what `ssh` takes.
`check` does not connect. The files are sent once, under their SHA-256. `cores` pins the process, here or there.
"""


def render() -> str:
    """The whole page, in Markdown; it depends on nothing that is installed beside this program."""
    parts = [_INTRODUCTION, f"```yaml\n{EXAMPLE}```\n", _READING, *_sections(), _limits(), _units()]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _sections() -> Iterable[str]:
    yield "## Keys\n\n" + _keys(grammar.CONTRACT.fields)
    records: tuple[tuple[str, Sequence[Field[Any]]], ...] = (
        ("model", grammar.MODEL.fields),
        (
            f"artifacts: a kind ({', '.join(f'`{kind}`' for kind in KINDS)}, or one that a backend adds)",
            grammar.ARTIFACT.fields,
        ),
        ("inputs and outputs: a name", grammar.INPUT.fields),
        ("validation", grammar.VALIDATION.fields),
        ("targets: a name", grammar.TARGET.fields),
    )
    for title, fields in records:
        yield f"### {title}\n\n{_keys(fields)}"


def _keys(fields: Sequence[Field[Any]]) -> str:
    rows = [(f"`{field.name}`", "yes" if field.required else "", _holds(field.kind), field.help) for field in fields]
    return _table(("key", "required", "holds", "meaning"), rows)


def _holds(kind: Kind[Any]) -> str:
    if isinstance(kind, grammar.Backend):
        return "the name of a backend, like `onnxruntime`"
    if isinstance(kind, Choice):
        return ", ".join(f"`{word}`" for word in kind.words)
    if isinstance(kind, Whole):
        words = "".join(f", or `{word}`" for word in kind.words)
        return f"{kind.wanted}{words}"
    if isinstance(kind, WholeRange):
        return kind.wanted
    if isinstance(kind, Record):
        return "the keys below"
    return kind.what if isinstance(kind, Table) else kind.wanted


def _limits() -> str:
    parts = [
        "## Limits\n\nEach block is a scenario, or compares outputs. Percentiles are written `latency p50`,\n"
        "`latency p99`, `latency p99.9`: two digits before the point, up to three behind it.\n"
    ]
    for block in BLOCKS:
        rows = [_metric(metric) for metric in _metrics(block)]
        parts.append(f"### {block}\n\n{HELP[block]}.\n\n{_table(('metric', 'unit', 'direction', 'meaning'), rows)}")
        if SETTINGS[block]:
            parts.append(f"How it is run:\n\n{_keys(SETTINGS[block])}")
    rows = [_metric(ARTIFACT_SIZE)]
    size = _table(("metric", "unit", "direction", "meaning"), rows)
    return "\n".join([*parts, f"### artifact size\n\nStands directly under `limits`.\n\n{size}"])


def _metrics(block: str) -> Iterable[Metric]:
    if block in TIMED:
        yield Metric("latency p99", "ns", "at most", "any percentile of query latency, by nearest rank")
    if block == "server":
        said = "highest rate of arrivals that keeps a percentile of latency, whichever and however long"
        yield Metric("max rate under p99 10 ms", "per_s", "at least", said)
    yield from BY_BLOCK[block]
    if block == "accuracy":
        yield Metric("module:function", "number", "at most", "your own metric; say which direction; needs --allow-code")


_UNIT_NAMES: dict[Unit, str] = {
    "ns": "time",
    "bytes": "size",
    "bytes_per_h": "size an hour",
    "uj": "energy",
    "per_s": "samples a second",
    "ratio": "share, like `97 %` or `0.97`",
    "number": "number",
}


def _metric(metric: Metric) -> tuple[str, str, str, str]:
    own = ":" in metric.name
    direction = "as you say" if own else metric.direction
    return f"`{metric.name}`", _UNIT_NAMES[metric.unit], direction, metric.meaning


def _units() -> str:
    rows = []
    kinds: tuple[Unit, ...] = ("ns", "bytes", "bytes_per_h", "per_s", "uj", "ratio", "number")
    for unit in kinds:
        names = ", ".join(f"`{name}`" for name in units.known_units(unit)) or "none"
        rows.append((units.what(unit), names, f"`{units.example(unit)}`"))
    table = _table(("quantity", "units", "example"), rows)
    text = "kB, MB, GB count in thousands; KiB, MiB, GiB in 1024s. A space before the unit is free. No commas."
    return f"## Units\n\n{table}\n{text}\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    print(render(), end="")
