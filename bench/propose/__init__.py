"""``benchpact init``: a commented contract for a model, with what it tells filled in and the rest proposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench import artifacts
from bench.device.adapter import UNTOLD
from bench.errors import ContractError
from bench.propose.draft import Draft, of_rank, with_sizes
from bench.propose.limits import Proposal
from bench.propose.limits import measure as measure_limits
from bench.propose.origin import origin_of
from bench.propose.reading import first_draft
from bench.propose.samples import taken_from, with_samples
from bench.propose.soundness import refuse_unsound
from bench.propose.text import Page, render
from bench.propose.trial import backend_for, backends_for
from bench.propose.trying import guessed, tried
from bench.propose.values import only_accepted

__all__ = ["propose"]


def propose(
    model: Path,
    *,
    samples: Path | None = None,
    dims: Sequence[str] = (),
    measure: bool = True,
    folder: Path | None = None,
    name: str = "contract.yaml",
    tell: Callable[[str], None] = lambda remark: None,
) -> str:
    """The text of a contract that lies in ``folder`` (the model's own by default) under ``name``.

    ``tell`` hears what stands in it as a remark, and why limits could not be proposed.
    ``dims`` are options like ``height=640`` and ``input:2=48``. Sizes that nothing tells are found by
    running the model; with ``measure`` limits are proposed from a short measurement. Raises
    ContractError where a file cannot be read or lies outside the folder, where an option is wrong,
    where the model accepts no size that was tried (the message then says which dimension to give), and
    where it has what no contract can hold.
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
    remarks = [*reading.by_hand, *taken_from(samples, reading.draft, draft), *origin_of(facts).remarks]
    proposal = Proposal({}, "limits could not be proposed: the model could not be run")
    if not backend:
        remarks.append(f"nothing was tried out, because no backend here runs it ({reason})")
    if not backend or reading.by_hand:
        draft = guessed(draft, reading.hints)
    else:
        draft, refusal = tried(draft, backend, reading.hints)
        remarks += [refusal] if refusal else []
        if not refusal:
            remarks += only_accepted(draft)
            proposal = measure_limits(draft, backend) if measure else Proposal({}, "limits were not measured")
            remarks += _without_numbers(draft, proposal.nan_output)
    unseen = [spec.name for spec in draft.outputs if spec.shape == UNTOLD]
    if unseen:
        draft = replace(draft, outputs=tuple(of_rank(one, 0) if one.name in unseen else one for one in draft.outputs))
        remarks.append(f"`outputs`: nothing tells the shape of {', '.join(unseen)}; write it")
    named = backend or next(iter(backends_for(kind)), "onnxruntime")
    page = Page(draft, folder, artifacts.companions_of(kind, model), named, proposal, tuple(remarks), name)
    text = render(page)
    refuse_unsound(text, page, whole=not reading.by_hand)
    for remark in (*remarks, *([proposal.note] if measure and proposal.note else [])):
        tell(remark)
    return text


def _without_numbers(draft: Draft, output: str) -> list[str]:
    """A remark where the model answered nothing but NaN: by values that it does not really get, most likely."""
    if not output:
        return []
    asked = "give --samples that it answers" if draft.samples else "set the ranges to values that really occur"
    told = f"output `{output}` was not a number (NaN) in all queries, and nothing measured of these is called met"
    return [f"{told}: {asked}{'' if draft.samples else ', or give --samples'}"]


def _check_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        beside = path.parent / "contract.yaml"
        raise ContractError(
            f"{path}: lies outside the contract's folder {folder}, and a contract names only files inside its own: "
            f"write it beside the file, with -o {beside}"
        )
