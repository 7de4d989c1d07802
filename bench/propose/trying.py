"""From a draft to one that the model accepts: sizes, batch, state and precision, all found by running it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from textwrap import shorten

from bench.errors import ContractError
from bench.propose import trial
from bench.propose.draft import UNNAMED, Draft, apart, with_batch, without_batch
from bench.propose.search import MAX_TRIES, Hints, applied, mendable, search, variables_of
from bench.propose.seen import outputs_seen
from bench.propose.values import takes_integers
from bench.results import Failure

FEW_TRIES = 8
MOST_SAID, MOST_BEGUN = 300, 100
"""Characters of a backend's message that are told, and those of them that are its beginning."""
RANKS = (2, 4, 3, 1, 0)
"""How many dimensions an input is given of which nothing tells it, the most usual first."""


def guessed(draft: Draft, hints: Hints) -> Draft:
    """The most likely sizes and values, untried; an output's unnamed first dimension is taken for the batch."""
    draft = with_batch(draft.ranked(RANKS[0]))
    variables = variables_of(draft, hints)
    draft = applied(draft, variables, [one.candidates[0] for one in variables])
    if draft.batch is None:
        return draft
    firsts = [spec.shape[0] for spec in draft.outputs if spec.shape]
    names = {size: draft.batch for size in firsts if isinstance(size, str) and UNNAMED.fullmatch(size)}
    return draft.renamed(names)


def tried(draft: Draft, backend: str, hints: Hints) -> tuple[Draft, str]:
    """A draft that the model accepts; where the model as a whole is refused, a guess and the refusal.

    Raises ContractError, which names the dimensions to give, where sizes are what it fails by.
    """
    failures: list[Failure] = []
    tries = 0
    for variant, most in _variants(draft):
        attempt = _Attempt(backend)
        found = search(variant, hints, attempt, most)
        tries += found.tries
        if found.failure is None:
            confirmed = _confirmed(replace(found.draft, precision=attempt.precision), backend)
            if isinstance(confirmed, Draft):
                return confirmed, ""
            failures.append(confirmed)
            continue
        failures.append(found.failure)
        if not mendable(found.failure) and not (draft.untold and found.failure.error == "SamplesRejected"):
            break
    failure = failures[0]
    if draft.untold and mendable(failure):
        names = ", ".join(f"`{name}`" for name in draft.untold)
        raise ContractError(
            f"{draft.path}: does not tell how many dimensions {names} has, and none of {min(RANKS)} to {max(RANKS)} "
            f"was accepted: give --samples ({backend} said of the first: {_short(failure)})"
        )
    free = with_batch(draft).free
    if free and mendable(failure):
        raise ContractError(_needs(draft, free, tries, failure, backend))
    values = _by_values(draft) if mendable(failure) else ""
    return guessed(draft, hints), f"{backend} does not run it{values and f': {values}'}: {_short(failure)}"


def _variants(draft: Draft) -> Iterator[tuple[Draft, int]]:
    """With everything recognised; then without what may have been recognised wrongly. Each with its most tries."""
    if draft.untold:
        for rank in RANKS:
            yield from ((one, FEW_TRIES) for one, _ in _variants(draft.ranked(rank)))
        return
    yield with_batch(draft), MAX_TRIES
    if draft.state:
        yield with_batch(replace(draft, state={})), FEW_TRIES
    if with_batch(draft).batch is not None:
        yield draft, FEW_TRIES
    shared = _shared(draft)
    if shared:
        for name in shared:
            draft, _ = apart(draft, name)
        yield with_batch(draft), MAX_TRIES


def _shared(draft: Draft) -> list[str]:
    """The free dimensions without a size that several axes of the inputs are called, but for the batch."""
    sizes = [size for one in draft.inputs for size in one.spec.shape]
    return [name for name in with_batch(draft).free if sizes.count(name) > 1 and name not in draft.dims]


def _needs(draft: Draft, free: tuple[str, ...], tries: int, failure: Failure, backend: str) -> str:
    values = _by_values(draft)
    wanted = [name for name in free if name not in draft.dims] or ([] if values else list(free))
    options = " ".join(f"--dim {name}=VALUE" for name in wanted)
    axes = [axis for name in _shared(draft) for axis in apart(draft, name)[1]]
    each = f", or where they differ {' '.join(f'--dim {axis}=VALUE' for axis in axes)}" if axes else ""
    what = "; ".join(filter(None, (options and f"give {options}{each}", values)))
    return (
        f"{draft.path}: the model accepted none of the {tries} combinations of sizes{' and values' if values else ''} "
        f"that were tried: {what} ({backend} said of the first: {_short(failure)})"
    )


def _by_values(draft: Draft) -> str:
    """What to do where integer inputs may take only certain values."""
    names = ", ".join(f"`{one.spec.name}`" for one in draft.fed if takes_integers(one))
    if not names or draft.samples is not None:
        return ""
    return f"the values of {names} may be at fault, whatever the sizes: give real ones with --samples FILE.npz"


def _short(failure: Failure) -> str:
    """Its message; of a long one how it begins and, as that says why, more of how it ends."""
    words = failure.message.split()
    if len(" ".join(words)) <= MOST_SAID:
        return " ".join(words)
    begin = shorten(" ".join(words), MOST_BEGUN, placeholder="")
    end = shorten(" ".join(words)[::-1], MOST_SAID - MOST_BEGUN - len(" ... "), placeholder="")[::-1]
    return f"{begin} ... {end}"


class _Attempt:
    """Runs drafts, and finds out by the way which precision the model has."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self.precision = trial.PRECISIONS[0]

    def __call__(self, draft: Draft) -> Failure | None:
        failure = trial.starts(replace(draft, precision=self.precision), self._backend)
        for precision in trial.PRECISIONS:
            if failure is None or failure.error != "ModelRejected" or "precision" not in failure.message:
                break
            self.precision = precision
            failure = trial.starts(replace(draft, precision=precision), self._backend)
        return failure


def _confirmed(draft: Draft, backend: str) -> Draft | Failure:
    """The draft with its outputs as they came, and its batch only if the model takes two samples; or why it fails."""
    one = trial.outputs_of(draft, backend, batch=1, seed=1)
    if one.failure is not None:
        return one.failure
    if draft.batch is not None:
        two = trial.outputs_of(draft, backend, batch=2, seed=2)
        if two.failure is not None:
            return _confirmed(without_batch(draft), backend)
    else:
        two = trial.outputs_of(draft, backend, batch=1, seed=2)
    return replace(draft, outputs=outputs_seen(draft, backend, one, two))
