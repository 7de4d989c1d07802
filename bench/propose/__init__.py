"""``benchpact init``: a commented contract for a model, with what it tells filled in and the rest proposed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import artifacts
from bench.errors import ContractError
from bench.propose.draft import with_sizes
from bench.propose.limits import Proposal
from bench.propose.limits import measure as measure_limits
from bench.propose.reading import first_draft
from bench.propose.samples import with_samples
from bench.propose.text import Page, render
from bench.propose.trial import backend_for, backends_for
from bench.propose.trying import guessed, tried

__all__ = ["propose"]


def propose(
    model: Path,
    *,
    samples: Path | None = None,
    dims: Sequence[str] = (),
    measure: bool = True,
    folder: Path | None = None,
) -> str:
    """The text of a contract that lies in ``folder`` (the model's own by default).

    ``dims`` are options like ``height=640`` and ``input:2=48``. Sizes that nothing tells are found by
    running the model; with ``measure`` limits are proposed from a short measurement. Raises
    ContractError where a file cannot be read or lies outside the folder, where an option is wrong, and
    where the model accepts no size that was tried: the message then says which dimension to give.
    """
    folder = model.resolve().parent if folder is None else folder
    kind = artifacts.kind_of(model)
    facts = artifacts.read(kind, model)
    for path in (model, *([samples] if samples else [])):
        _check_inside(path, folder)
    reading = first_draft(kind, model, facts)
    draft = with_sizes(reading.draft, dims)
    if samples is not None:
        draft = with_samples(draft, samples)
    backend, reason = backend_for(kind)
    remarks = [*reading.by_hand]
    proposal = Proposal({}, "limits could not be proposed: the model could not be run")
    if not backend:
        remarks.append(f"nothing was tried out, because no backend here runs it ({reason})")
    if not backend or reading.by_hand:
        draft = guessed(draft, reading.hints)
    else:
        draft, refusal = tried(draft, backend, reading.hints)
        remarks += [refusal] if refusal else []
        if not refusal:
            proposal = measure_limits(draft, backend) if measure else Proposal({}, "limits were not measured")
    named = backend or next(iter(backends_for(kind)), "onnxruntime")
    return render(Page(draft, folder, artifacts.companions_of(kind, model), named, proposal, tuple(remarks)))


def _check_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        beside = path.parent / "contract.yaml"
        raise ContractError(
            f"{path}: lies outside the contract's folder {folder}, and a contract names only files inside its own: "
            f"write it beside the file, with -o {beside}"
        )
