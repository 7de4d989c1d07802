"""``python -m bench``, and the console script: errors become one clear message and an exit code."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from bench.errors import INTERRUPTED, BenchError, ContractError
from bench.interrupts import ending_at_once, heard_once

if TYPE_CHECKING:
    import click

COMPLETING = "_BENCHPACT_COMPLETE"
"""Set by the shell's script where it asks for completions."""
WRONG_INPUT, NOT_MEASURED = 2, 3
GARBAGE = 300_000
"""Objects beyond those freed before garbage is looked for: a start makes a third of that and frees few, and would look
in vain for a tenth of its time. A worker, whose framework's start is a figure, collects as Python does."""


def run() -> NoReturn:
    """The whole life of the command: ``main``, and then past the interpreter's own shutdown.

    That would free one by one what the system frees at once. What was registered for the end is still done.
    """
    gc.set_threshold(GARBAGE)
    code = main()
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. A traceback is shown only with ``--debug``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        if not _has_streams():
            return NOT_MEASURED
        with ending_at_once():
            import click

            from bench.cli import cli
        with heard_once():
            return _run(cli, [word for word in given if word != "--debug"])
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.Abort:  # what click makes of it
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except Exception as error:
        if debug:
            raise
        return _told(error)


def _run(cli: click.Command, words: list[str]) -> int:
    """The command's exit code, once all that it printed is written."""
    try:
        code = cli.main(args=words, prog_name="benchpact", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as error:
        if COMPLETING in os.environ:  # click's own way of having answered a shell
            return error.code if isinstance(error.code, int) else NOT_MEASURED
        if not _click_met_a_closed_pipe(error):  # something that was imported wanted to end us
            print(f"benchpact: ended from within by exit({error.code!r}): nothing it said holds", file=sys.stderr)
            return NOT_MEASURED
        return _given_up()
    except BrokenPipeError:  # the reader of our output is gone, `| head` for one: nothing more to say
        return _given_up()
    except OSError as error:
        if not _is_of_stdout(error):
            raise
        print(f"benchpact: cannot write to standard output: {error.strerror or error}", file=sys.stderr)
        return _given_up()
    return code if isinstance(code, int) else 0


def _click_met_a_closed_pipe(error: SystemExit) -> bool:
    """Its own way of meeting one: it exits while it handles the error or, if newer, after wrapping the streams."""
    return isinstance(error.__context__, OSError) or type(sys.stdout).__name__.endswith("PacifyFlushWrapper")


def _has_streams() -> bool:
    """Make standard output and error fit to be written to; False, and a line, where there is no standard output."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - until the end; print would go to stdout
    if sys.stdout is None:  # the next file that is opened would be taken for it
        print("benchpact: standard output is closed; to be rid of it, say > /dev/null", file=sys.stderr)
        return False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # `✓` and `µ` must not end a run on a terminal without them
    return True


def _is_of_stdout(error: OSError) -> bool:
    """Whether writing to standard output failed: what it still holds then fails again; unbuffered it holds nothing."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)


def _given_up() -> int:
    """Nothing more goes to standard output, at the interpreter's end neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return NOT_MEASURED


def _told(error: Exception) -> int:
    """The exit code of what was wrong; it is the same where nobody reads why."""
    from bench.report.text import clean

    if isinstance(error, BenchError):
        lines = [f"benchpact: {clean(line)}" for line in str(error).splitlines()]
    else:
        what = f"{type(error).__name__}: {clean(error)}"
        lines = [f"benchpact: this should not happen: {what}; say --debug to see where, and please report it"]
    with suppress(OSError):
        print("\n".join(lines), file=sys.stderr, flush=True)
    return WRONG_INPUT if isinstance(error, ContractError) else NOT_MEASURED


if __name__ == "__main__":
    run()
