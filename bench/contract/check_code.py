"""The user's own code that a contract names: there, and with a function of that name. It is parsed and never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import metrics
from bench.contract.check_backends import is_importable
from bench.contract.check_settings import own_code
from bench.contract.findings import Findings
from bench.contract.model import Contract, Place, Target
from bench.contract.problems import meant, quoted

MOST_BYTES = 1 << 20
"""Most of a module that is parsed: larger ones are nobody's metric."""
_METRIC, _FACTORY = ("outputs", "labels"), ()
"""What a metric of the user's and the function that builds a model are called with."""
_MAKERS = ("globals", "vars", "exec", "__getattr__")
"""Names by which a module may get others that are not written in it."""


def check(contract: Contract, targets: Sequence[Target], findings: Findings) -> None:
    """Note functions that are not there; of those that are, that they run only if the user says so."""
    entries: list[tuple[str, Place, tuple[str, ...]]] = []
    if contract.factory is not None:
        entries.append((contract.factory.entry, contract.factory.place, _FACTORY))
    for target in targets:
        found = [one for one in target.limits.requirements if metrics.is_user_metric(one.metric)]
        entries += [(requirement.metric, requirement.place, _METRIC) for requirement in found]
    for entry, place, given in dict.fromkeys(entries):
        wrong = _wrong(contract.folder, entry, given)
        if wrong:
            findings.problems.add(place, f"{quoted(entry)}: {wrong}")
        else:
            findings.notice(f"`{entry}` is code that comes with the contract: it runs only with --allow-code", place)
    for target in targets:
        for option in own_code(target):
            told = f"{quoted(str(target.options[option]))} is a program that the contract names"
            findings.notice(f"{told}: it runs only with --allow-code", target.option_places.get(option, target.place))


def _wrong(folder: Path, entry: str, given: tuple[str, ...]) -> str | None:
    """What keeps the function from being there; None where nothing does, as far as can be told without running it.

    A model may be built by a package's function. A metric comes with the contract: nobody's package is called for it.
    """
    name, _, function = entry.partition(":")
    parts = name.split(".")
    beside = folder / parts[0]
    if not (beside.with_suffix(".py").is_file() or beside.is_dir()):
        there = given == _FACTORY and is_importable(parts[0])
        return None if there else f"there is no module {quoted(parts[0])}: put {parts[0]}.py beside the contract"
    module = folder.joinpath(*parts)
    files = (module / "__init__.py", module.with_name(f"{module.name}.py"))  # in the order that Python looks
    file = next((one for one in files if one.is_file()), None)
    if file is None:
        missing = f"there is no module {quoted(name)}: write {name.replace('.', '/')}.py"
        return None if _may_be_compiled(module) else missing
    return _lacks(file, file.relative_to(folder).as_posix(), function, given)


def _may_be_compiled(module: Path) -> bool:
    """Whether an extension module or a folder without code of its own has that name."""
    return module.is_dir() or any(module.parent.glob(f"{module.name}.*"))


def _lacks(file: Path, shown: str, function: str, given: tuple[str, ...]) -> str | None:
    try:
        with file.open("rb") as opened:
            source = opened.read(MOST_BYTES + 1)
        if len(source) > MOST_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what its author may have written, Python says when it runs
            tree = ast.parse(source)
    except OSError as error:
        return f"{shown} cannot be read: {error.strerror or error}"
    except SyntaxError as error:
        return f"{shown}:{error.lineno or 1} is not Python: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{shown} is not Python: {error or type(error).__name__}"
    bound = list(_names(tree))
    names = set(bound)
    if "*" in names or not names.isdisjoint(_MAKERS) or bound.count(function) > 1:
        return None
    if function in names:
        return _misfit(tree, function, shown, given)
    hint = meant(function, sorted(names)) if names else "it defines nothing"
    return f"{shown} has no function {quoted(function)}: {hint}"


def _misfit(tree: ast.Module, function: str, shown: str, given: tuple[str, ...]) -> str | None:
    """Why the one thing of that name cannot be called like that; None where it can, or where only running it tells."""
    fix = f"write `def {function}({', '.join(given)}):`"
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=[], args=args) if name == function:
                if not _takes(args, len(given)):
                    how = f"it is called with ({', '.join(given)})" if given else "it is called with nothing"
                    return f"{shown}:{node.lineno}: {how}: {fix}"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant()) if name == function:
                return f"{shown}:{node.lineno}: this is a value and no function: {fix}"
    return None


def _takes(args: ast.arguments, count: int) -> bool:
    """Whether a function of these parameters can be called with so many arguments by their places."""
    places = len(args.posonlyargs) + len(args.args)
    named = any(default is None for default in args.kw_defaults)
    return not named and count >= places - len(args.defaults) and (args.vararg is not None or count <= places)


def _names(tree: ast.Module) -> Iterator[str]:
    """What the module's own statements define, within ``if``, ``try`` and ``with`` too; what makes names by itself."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
                yield from (name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names)
                continue
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Name(id=name) if name in _MAKERS:
                yield name
        waiting += ast.iter_child_nodes(node)
