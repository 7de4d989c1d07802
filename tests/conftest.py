"""What holds for every test."""

from __future__ import annotations

import signal

# A shell that runs us in the background ignores Ctrl-C for us, and what is ignored is inherited: then no process that
# a test starts could be interrupted. Taken back here, for them all.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
