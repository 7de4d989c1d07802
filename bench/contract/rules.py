"""What the parts of a contract owe each other: dimensions, batch, state, validation. No file is opened."""

from __future__ import annotations

from collections.abc import Mapping

from bench.contract.model import Contract, Target
from bench.contract.problems import Problems, meant, nearest, quoted
from bench.device.adapter import TensorSpec


def check_rules(contract: Contract, problems: Problems) -> None:
    """Note every problem between the parts of the contract.

    Where a part could not be read, nothing is said of what refers to it: that one fault would be told many times.
    """
    _values(contract, problems)
    _free_dimensions(contract, problems)
    _batch_dimension(contract, problems)
    _state(contract, problems)
    _output(contract, problems)
    for target in contract.targets:
        _batch_sizes(contract, target, problems)
        _together(contract, target, problems)
    _validation(contract, problems)


def _values(contract: Contract, problems: Problems) -> None:
    """Every value has a dimension."""
    known = _free([*(one.spec for one in contract.inputs), *contract.outputs])
    whole = not (contract.hides("inputs") or contract.hides("outputs"))
    for name in contract.dims:
        if name == contract.batch_dim:
            message = f"{quoted(name)} counts samples: its size is a scenario's `batch`, so leave it out of `dims`"
            problems.add(contract.place("dims", name), message)
        elif name not in known and whole:
            message = f"{quoted(name)} is a dimension of no input and no output: {meant(name, known)}"
            problems.add(contract.place("dims", name), message)


def _free_dimensions(contract: Contract, problems: Problems) -> None:
    """Every free dimension of an input has a value, unless what would give it one is at fault."""
    specs = [one.spec for one in contract.inputs]
    if contract.hides("batch") or (contract.batch_dim is not None and contract.batch_dim not in _free(specs)):
        return
    known = _free([*specs, *contract.outputs])
    meant_for = {nearest(name, known) for name in contract.dims if name not in known}
    for spec in specs:
        for size in _free([spec]):
            if size in meant_for or contract.hides("dims", size):
                continue
            if size not in contract.dims and size != contract.batch_dim:
                fix = f"write `dims: {{{size}: …}}`"
                fix += f", or `batch: {size}` if it counts samples" if contract.batch_dim is None else ""
                message = f"dimension {quoted(size)} of input {quoted(spec.name)} has no value: {fix}"
                problems.add(contract.place("inputs", spec.name), message)


def _free(specs: list[TensorSpec]) -> list[str]:
    """The names of free dimensions, each once, in order."""
    return list(dict.fromkeys(size for spec in specs for size in spec.shape if isinstance(size, str)))


def _batch_dimension(contract: Contract, problems: Problems) -> None:
    batch = contract.batch_dim
    if batch is None:
        return
    specs = [one.spec for one in contract.inputs]
    if batch not in _free(specs) and not contract.hides("inputs"):
        message = f"`batch`: {quoted(batch)} is a dimension of no input: {meant(batch, _free(specs))}"
        problems.add(contract.place("batch"), message)
    for spec in specs:
        if batch in spec.shape[1:] and spec.name not in contract.state and not contract.hides("state"):
            message = f"{quoted(batch)} counts samples: it can be only the first dimension of {quoted(spec.name)}"
            fix = f"export the model with it first, or fix it, `dims: {{{batch}: 1}}`, and leave `batch` out"
            problems.add(contract.place("inputs", spec.name), f"{message}: {fix}")


def _state(contract: Contract, problems: Problems) -> None:
    inputs = {one.spec.name: one.spec for one in contract.inputs}
    outputs = {spec.name: spec for spec in contract.outputs}
    for name, source in contract.state.items():
        place = contract.place("state", name)
        if name not in inputs and not contract.hides("inputs"):
            problems.add(place, f"`state`: {quoted(name)} is no input: {meant(name, inputs)}")
        if source not in outputs and not contract.hides("outputs"):
            problems.add(place, f"`state`: {quoted(source)} is no output: {meant(source, outputs)}")
        if name in inputs and source in outputs:
            into, out = inputs[name], outputs[source]
            if into.dtype != out.dtype or not fits(into.shape, out.shape, contract.dims):
                message = f"`state`: {quoted(source)} is {spelled(out)}, but {quoted(name)} is {spelled(into)}"
                problems.add(place, f"{message}: an output feeds only an input of its own dtype and shape")


def fits(one: tuple[int | str, ...], other: tuple[int | str, ...], dims: Mapping[str, int]) -> bool:
    """Whether two shapes can be the same; a free dimension without a value is any size."""
    sizes = [(dims.get(str(a), a), dims.get(str(b), b)) for a, b in zip(one, other, strict=False)]
    return len(one) == len(other) and all(a == b or isinstance(a, str) or isinstance(b, str) for a, b in sizes)


def spelled(spec: TensorSpec) -> str:
    """``float32 [batch, 10]``."""
    return f"{spec.dtype} [{', '.join(str(size) for size in spec.shape)}]"


def _output(contract: Contract, problems: Problems) -> None:
    validation = contract.validation
    names = [spec.name for spec in contract.answers]
    if validation.output is not None and validation.output not in names and not contract.hides("outputs"):
        is_state = any(spec.name == validation.output for spec in contract.outputs)
        what = "is state, which is not compared" if is_state else "is no output"
        hint = meant(validation.output, names)
        problems.add(contract.place("validation", "output"), f"`output`: {quoted(validation.output)} {what}: {hint}")


def _validation(contract: Contract, problems: Problems) -> None:
    validation = contract.validation
    for word in ("labels", "predictions"):
        written = getattr(validation, word) is not None
        if written and validation.samples is None and not contract.hides("validation", "samples"):
            message = f"`{word}` without `samples` is about nothing: write `samples: FILE.npz` beside it"
            problems.add(contract.place("validation", word), message)


def _batch_sizes(contract: Contract, target: Target, problems: Problems) -> None:
    """A model without a batch dimension takes its own number of samples a query, and no other."""
    if contract.batch_dim is not None or any(contract.hides(part) for part in ("inputs", "dims", "batch", "state")):
        return
    leading = {one.spec.shape[0] for one in contract.inputs if one.spec.shape and one.spec.name not in contract.state}
    sizes = {1} | {contract.dims.get(str(size), size) for size in leading}
    for scenario in target.limits.scenarios:
        if _is_unread(contract, target, scenario.scenario):
            continue
        if scenario.batch > 1 and scenario.batch not in sizes:
            message = f"`{scenario.scenario}` of target {quoted(target.name)} asks for a batch of {scenario.batch}"
            own = next((size for size in sizes if size != 1), 1)
            is_streams = scenario.scenario == "multi-stream"
            leave = f"write `samples: {own}`" if is_streams else "leave the size out"
            fix = f"name the dimension that counts samples, `batch: NAME`, or {leave}"
            problems.add(target.place, f"{message}, but the model's batch size is fixed: {fix}")


def _is_unread(contract: Contract, target: Target, scenario: str) -> bool:
    """Whether something of the scenario's own words is at fault."""
    owners: tuple[tuple[str, ...], ...] = (("limits",), ("targets", target.name, "limits"))
    return any(contract.faults.within(*owner, scenario) for owner in owners)


def _together(contract: Contract, target: Target, problems: Problems) -> None:
    """Queries can be answered as one batch only where a dimension counts samples and none needs the one before it."""
    why = "has state" if contract.state else "names no dimension that counts samples (`batch`)"
    for scenario in target.limits.scenarios:
        if contract.batch_dim is None and not contract.state and contract.hides("batch"):
            continue
        if scenario.max_batch > 1 and (contract.state or contract.batch_dim is None):
            message = f"`max batch` of target {quoted(target.name)}: the model {why}, so queries cannot be joined"
            problems.add(target.place, f"{message}: leave it out")
