"""How NVML says no: refused, or not offered at all; always with its own words."""

from __future__ import annotations

NOT_SUPPORTED, FUNCTION_NOT_FOUND = 3, 13
LOST = "GPU is lost"
"""NVML's own words for one that fell off the bus or is no longer answered by."""


class NotTold(Exception):
    """Why something is not told, in words."""


class NotOffered(NotTold):
    """This GPU, driver or nvidia-ml-py has no such thing at all: it is not refused."""


def refusal(error: Exception, name: str) -> NotTold:
    """Of what the call of that name raised. That a driver lacks it is told as an error of versions, with no number."""
    code = getattr(error, "value", None)
    lacks = code in (NOT_SUPPORTED, FUNCTION_NOT_FOUND) or type(error).__name__ == "NVMLLibraryMismatchError"
    return (NotOffered if lacks else NotTold)("NVML says: %s (%s)" % (error, name))
