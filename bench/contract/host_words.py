"""The words that say where a target is: a host as `ssh` names it, cores, the host's Python."""

from __future__ import annotations

import re

from bench.contract.kinds import Kind, Schema, Text
from bench.contract.nodes import Items, Node, Scalar
from bench.contract.problems import Problems, quoted

MOST_CHARACTERS = 255
MOST_CORES = 4096
_NAME = r"[A-Za-z0-9_:][A-Za-z0-9_.@:%/+=~,\[\]-]*"
_CORES = r"[0-9]{1,4}(?:-[0-9]{1,4})?(?:\s*,\s*[0-9]{1,4}(?:-[0-9]{1,4})?)*"
_PYTHON = r"(?:/|~/)(?:[^\x00-\x1f\x7f]*/)?python[0-9.]{0,8}"


def fault_of(host: str) -> str | None:
    """What is wrong with a host's name, or None.

    Every name that ``ssh HOST`` understands passes: of its config, ``user@name``, an address, ``ssh://`` with a
    port. What an option, or a word to the shell of somebody's ``ProxyCommand``, could be made of does not.
    """
    if len(host) > MOST_CHARACTERS:
        return f"a host's name has at most {MOST_CHARACTERS} characters"
    if not re.fullmatch(_NAME, host) or host.rpartition("@")[2].startswith("-") or "://-" in host:
        return "that is no host's name: write it as `ssh` takes it, like `pi4` or `user@192.0.2.7`"
    return None


class HostName(Text):
    """A host as the user's own ``ssh`` names it."""

    def __init__(self) -> None:
        super().__init__("a host as `ssh` names it", "pi4", _NAME, MOST_CHARACTERS)

    def value(self, node: Scalar) -> str:
        fault = fault_of(node.text)
        if fault is not None:
            raise ValueError(f"{quoted(node.text)}: {fault}")
        return node.text


class Interpreter(Text):
    """The path of a Python on a host. Nothing else may be started there by a word of a contract."""

    def __init__(self) -> None:
        super().__init__("the path of a Python there, from `/` or `~/`", "/usr/bin/python3.11", _PYTHON, 400)


class Cores(Kind[tuple[int, ...]]):
    """Cores by number: ``0-3``, ``0,2``, a number, or a list of numbers; in ascending order, each once."""

    what, example = "cores by number", "0-3"

    def read(self, node: Node, name: str, problems: Problems) -> tuple[int, ...] | None:
        texts = [one.text for one in node.items if isinstance(one, Scalar)] if isinstance(node, Items) else []
        is_list = isinstance(node, Items) and len(texts) == len(node.items) > 0
        text = ",".join(texts) if is_list else node.text.strip() if isinstance(node, Scalar) else ""
        try:
            return cores_of(text)
        except ValueError as error:
            problems.add(node.place, f"{quoted(name)}: {error}: write {self.wanted} or `0,2`")
            return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        number = {"type": "integer", "minimum": 0, "maximum": MOST_CORES - 1}
        text = {"type": "string", "pattern": rf"^\s*{_CORES}\s*$"}
        items = {"type": "array", "items": {"anyOf": [number, text]}, "minItems": 1, "maxItems": MOST_CORES}
        return {"anyOf": [number, text, items], "examples": [self.example]}


def cores_of(text: str) -> tuple[int, ...]:
    """The cores that ``0-3,6`` names; ValueError says what is wrong."""
    if not re.fullmatch(_CORES, text):
        raise ValueError(f"{quoted(text)} names no cores" if text else "it names no cores")
    found: set[int] = set()
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        first, last = int(low), int(high or low)
        if not first <= last < MOST_CORES:
            raise ValueError(f"{quoted(part.strip())} is no range of cores from 0 to {MOST_CORES - 1}")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def show_cores(cores: tuple[int, ...]) -> str:
    """``0-3,6`` for ``(0, 1, 2, 3, 6)``."""
    parts: list[list[int]] = []
    for core in cores:
        if parts and parts[-1][-1] == core - 1:
            parts[-1].append(core)
        else:
            parts.append([core])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
