"""What the parts of a check find, collected while they look."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.contract.model import Place
from bench.contract.problems import Problems


@dataclass(frozen=True)
class Findings:
    """What the parts of the check fill."""

    problems: Problems = field(default_factory=Problems)
    missing: Problems = field(default_factory=Problems)
    notices: list[str] = field(default_factory=list)

    def notice(self, text: str, place: Place | None = None) -> None:
        """Note, once, what a reader should know though nothing is wrong, and where it stands if it stands anywhere."""
        told = text if place is None else f"{place}: {text}"
        if told not in self.notices:
            self.notices.append(told)
