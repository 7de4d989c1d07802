"""What a signal is called that ended a process."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """``SIGSEGV`` …; ``signal 35`` for one that has no name of its own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
