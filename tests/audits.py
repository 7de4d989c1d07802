"""What tests ask of an audit's recorded figures."""

from __future__ import annotations

from dataclasses import asdict

from bench.device.audit_closure import Closure
from bench.results import Audit


def is_early(audit: Audit | None) -> bool:
    """Whether the figures are those of a clock that stopped before the work did.

    The ratio alone does not tell: of a call that does nothing, the loop's own cost is half of the time.
    """
    assert audit is not None
    return Closure(**asdict(audit)).is_early()
