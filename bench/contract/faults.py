"""Where a contract is at fault: what stands there was left out of it, so nothing follows from its absence."""

from __future__ import annotations

from dataclasses import dataclass

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Faults:
    """The parts at fault, by the keys that lead to them; none in a contract that was read as a whole."""

    paths: frozenset[Keys] = frozenset()
    strange: frozenset[Keys] = frozenset()
    """Mappings with a key that is none of theirs: what they lack may stand under it."""
    unsized: bool = False
    """Whether what inputs, dimensions, batch and state owe each other is at fault: no size follows from them."""

    def within(self, *keys: str) -> bool:
        """Whether something is at fault in what stands under these keys."""
        return any(path[: len(keys)] == keys for path in self.paths)
