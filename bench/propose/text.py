"""The contract's text: every part with a comment that says what it is and what is left to do."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.artifacts.facts import sha256_of
from bench.device.adapter import STATES, TensorSpec
from bench.propose.draft import Draft, InputDraft
from bench.propose.limits import PROCESSES, Proposal, size_line
from bench.propose.origin import origin_of
from bench.stats.sequential import fewest

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*")
_RESERVED = re.compile(r"true|false|yes|no|on|off|null|y|n|~", re.IGNORECASE)
_MOST_NAME = 200
_ORDER = ("single-stream", "offline", "cold-start")
_SETTINGS = {"offline": "batch: 8"}
TO_DO = "TO DO"
"""What marks each place of the file that is left to its reader."""
FEW = 3
"""Processes where a start takes so long that nobody should wait for many of them unasked."""
_ABOUT = {
    "single-stream": "one query after the other: what a waiting caller feels",
    "offline": "batches: how much one machine can do; `batch: best` looks for the best size",
    "cold-start": "fresh processes: from process start to the first answer",
}


@dataclass(frozen=True)
class Page:
    """Everything the text is made of; ``remarks`` are what the reader must look at first."""

    draft: Draft
    folder: Path
    companions: tuple[Path, ...]
    backend: str
    proposal: Proposal
    remarks: tuple[str, ...]
    name: str = "contract.yaml"


def render(page: Page) -> str:
    """The whole file."""
    parts = (_head, _model, _artifacts, _inputs, _outputs, _dimensions, _state, _validation, _limits, _targets)
    return "\n".join("\n".join(part) + "\n" for part in (list(part(page)) for part in parts) if part)


def _head(page: Page) -> Iterator[str]:
    yield f"# A contract for {_comment(page.draft.path.name)}, proposed by `benchpact init`. Read it, change it, then:"
    name = _comment(shlex.quote(page.name))
    yield f"#   benchpact check {name} && benchpact run {name}"
    for remark in page.remarks:
        yield f"# TO DO: {_comment(remark)}"
    yield "benchpact: 1"


def _model(page: Page) -> Iterator[str]:
    facts = page.draft.facts
    yield "# What the model is. `benchpact check` compares each of these with the artifact where that tells it too."
    yield "model:"
    name = facts.told.name or page.draft.path.stem[:_MOST_NAME].strip() or "model"
    yield _said(f"  name: {_word(name)}", "told by the artifact" if facts.told.name else "its file's name")
    version = facts.told.version or facts.told.number
    yield _said(f"  version: {_word(str(version or 1))}", "told by the artifact" if version else "TO DO: yours")
    if page.draft.kind in STATES:
        yield _said("  factory: my_model:build", "TO DO: `module:function` of yours; it runs only with --allow-code")
    origin = origin_of(facts)
    if origin.framework is not None:
        made = "told by the artifact" if facts.told.framework else "told from what wrote the artifact"
        yield _said(f"  framework: {_word(origin.framework)}", made)
    if origin.release is not None:
        yield f"  framework version: {_word(origin.release)}"
    if origin.writer is not None:
        yield f"  # The artifact was written by {_comment(origin.writer)[:_MOST_NAME]}."
    if facts.parameters is not None:
        count = facts.parameters
        guess = f"TO DO: yours; the artifact stores so many weights, and tells only that it is {count}"
        yield _said(f"  parameters: {count.likely}", "counted in the artifact" if count.exact else guess)


def _artifacts(page: Page) -> Iterator[str]:
    opset = f", opset {page.draft.facts.opset}" if page.draft.facts.opset is not None else ""
    yield f"# The model's files{opset}. The SHA-256 says that it is still the same file."
    yield "artifacts:"
    yield f"  {page.draft.kind}:"
    yield f"    path: {_path(page.draft.path, page.folder)}"
    yield f"    sha256: {sha256_of(page.draft.path)}"
    if page.companions:
        yield "    files:"
    for companion in page.companions:
        yield f"      - path: {_path(companion, page.folder)}"
        yield f"        sha256: {sha256_of(companion)}"


def _inputs(page: Page) -> Iterator[str]:
    if page.draft.samples is None:
        yield "# What goes in. Without samples, inputs are generated from `range`: set it to values that really occur."
    else:
        yield "# What goes in."
    yield "inputs:"
    for one in page.draft.inputs:
        yield f"  {_word(one.spec.name)}: {{{_tensor(one.spec)}{_range(one, page.draft)}}}"


def _range(one: InputDraft, draft: Draft) -> str:
    if one.spec.dtype == "bool" or draft.samples is not None or one.spec.name in draft.state:
        return ""
    return f", range: [{one.low:g}, {one.high:g}]"


def _outputs(page: Page) -> Iterator[str]:
    yield "outputs:"
    for spec in page.draft.outputs:
        yield f"  {_word(spec.name)}: {{{_tensor(spec)}}}"


def _dimensions(page: Page) -> Iterator[str]:
    draft = page.draft
    if draft.free:
        yield "# Sizes of the free dimensions. TO DO: set the ones that you run with; these were accepted or given."
        yield "dims:"
        yield from (f"  {_word(name)}: {draft.dims[name]}" for name in draft.free if name in draft.dims)
    if draft.batch is not None:
        yield _said(f"batch: {_word(draft.batch)}", "the dimension that counts samples")


def _state(page: Page) -> Iterator[str]:
    if not page.draft.state:
        return
    yield "# TO DO: a guess by their names: what an output says is the next query's input. Take it out if it is wrong."
    yield "state:"
    for name, source in page.draft.state.items():
        yield f"  {_word(name)}: {_word(source)}"


def _validation(page: Page) -> Iterator[str]:
    draft = page.draft
    yield "# The validation set. With labels and your own model's predictions, quality is checked as well as speed."
    if draft.samples is None:
        yield "# validation:"
        yield _said("#   samples: samples.npz", "one array an input")
    else:
        yield "validation:"
        yield f"  samples: {_path(draft.samples, page.folder)}"
    yield _said("#   labels: labels.npz", "one array `labels`")
    yield _said("#   predictions: predictions.npz", "one array an output, from your own model")
    yield f"#   output: {_word(draft.outputs[0].name)}"


def _limits(page: Page) -> Iterator[str]:
    proposal = page.proposal
    if proposal.blocks:
        where = _comment(proposal.cpu) or "this machine"
        yield f"# What it may cost. Proposed from {PROCESSES} short processes on {where}: TO DO: put what you need."
        if proposal.slow_start:
            yield f"# TO DO: {FEW} processes promise no error rate. To gate on the answer take `processes: {FEW}` out:"
            yield f"# as many are then started as decide at an error rate of 1 %, {fewest()} or more of them."
        else:
            yield f"# Each takes as many fresh processes as decide at an error rate of 1 %: {fewest()} or more."
    else:
        yield f"# What it may cost. TO DO: {_comment(proposal.note)}; write what you need, like"
        yield "#   single-stream: {latency p99: 5 ms, peak memory: 300 MiB}"
    yield "limits:"
    for block in (name for name in _ORDER if name in proposal.blocks):
        yield _said(f"  {block}:", _ABOUT[block])
        for line in proposal.blocks[block]:
            yield _said(f"    {line.metric}: {line.limit}", f"proposed: measured {line.measured}")
        if block in _SETTINGS:
            yield f"    {_SETTINGS[block]}"
        if proposal.slow_start:
            yield _said(f"    processes: {FEW}", f"a quick look: a process takes {proposal.slow_start} to start")
    size = size_line(page.draft.facts.size_bytes)
    yield _said(f"  artifact size: {size.limit}", f"proposed: it has {size.measured}")
    yield _said("#  accuracy: {top-1: 97 %}", "with labels")
    yield _said("#  agreement: {max abs difference: 1e-3}", "with predictions")


def _targets(page: Page) -> Iterator[str]:
    yield "# Where it must keep this: `benchpact backends` and `benchpact doctor` tell what works here."
    yield "targets:"
    yield f"  {page.backend}-1:"
    yield f"    backend: {page.backend}"
    yield "    device: cpu"
    yield "    threads: 1"
    yield f"    precision: {page.draft.precision}"
    yield "    residency: host"


def _said(text: str, comment: str) -> str:
    """A line and its comment, the comments below each other."""
    return f"{text:<38} # {comment}"


def _tensor(spec: TensorSpec) -> str:
    sizes = ", ".join(str(size) if isinstance(size, int) else _word(size) for size in spec.shape)
    return f"dtype: {spec.dtype}, shape: [{sizes}]"


def _word(text: str) -> str:
    """As a plain word, or in double quotes where YAML would read it as something else."""
    if _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in json.dumps(text, ensure_ascii=False))


def _comment(text: str) -> str:
    """Text that cannot end its comment."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _path(path: Path, folder: Path) -> str:
    return _word(path.resolve().relative_to(folder.resolve()).as_posix())
