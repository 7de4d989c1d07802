"""``python -m bench``, and the console script: errors become one clear message and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from bench.errors import INTERRUPTED, BenchError, ContractError

WRONG_INPUT, NOT_MEASURED = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. A traceback is shown only with ``--debug``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # `✓` and `µ` must not end a run on a terminal without them
    words = [word for word in given if word != "--debug"]
    import click

    from bench.cli import cli

    try:
        code = cli.main(args=words, prog_name="benchpact", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output is gone, `| head` for one: nothing more to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return NOT_MEASURED
    except Exception as error:
        if debug:
            raise
        return _told(error)
    return code if isinstance(code, int) else 0


def _told(error: Exception) -> int:
    from bench.report.text import clean

    if isinstance(error, BenchError):
        print("\n".join(f"benchpact: {clean(line)}" for line in str(error).splitlines()), file=sys.stderr)
        return WRONG_INPUT if isinstance(error, ContractError) else NOT_MEASURED
    print(
        f"benchpact: this should not happen: {type(error).__name__}: {clean(error)}; "
        "say --debug to see where, and please report it",
        file=sys.stderr,
    )
    return NOT_MEASURED


if __name__ == "__main__":
    sys.exit(main())
