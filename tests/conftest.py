"""What holds for every test."""

from __future__ import annotations

import os
import signal
import sys

from hypothesis import settings

pytest_plugins = ["tests.board.fixtures"]

# An example that takes longer than 200 ms because the machine is busy has found nothing.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

# A shell that runs us in the background ignores Ctrl-C for us, and what is ignored is inherited: then no process that
# a test starts could be interrupted. Taken back here, for them all.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests start thousands of processes. Where bytecode is not kept, as in many containers, each of them compiles all our
# modules anew: a worker then takes three times as long to import them. It is kept here, as on a user's own machine.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
