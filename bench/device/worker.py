"""A worker: one process that reads a job, measures one process run of one case, and writes records.

Its standard output becomes standard error at once, so that no library's print can break the protocol;
the records go out on a private copy of it. It ends when the host is gone: standard input closed.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter_ns

STARTED_NS = perf_counter_ns()

import faulthandler  # noqa: E402
import platform  # noqa: E402
import traceback  # noqa: E402
from contextlib import suppress  # noqa: E402
from typing import NoReturn  # noqa: E402

from . import guard, machine, memory, records  # noqa: E402
from .channel import Channel, Host, die_with_parent  # noqa: E402
from .pinning import pin  # noqa: E402
from .process_run import ProcessRunner  # noqa: E402


def main() -> int:
    """Read the job from standard input, measure, write records; 0 unless an error was reported."""
    source = os.fdopen(os.dup(0), "rb")
    channel = Channel(os.fdopen(os.dup(1), "wb", buffering=0x10000))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    die_with_parent()
    faulthandler.enable(all_threads=False)
    try:
        job = records.decode_job(source.readline())
        ready_ns = perf_counter_ns()
        host = Host(source)
        host.watch()
        hello = {"protocol": records.PROTOCOL, "pid": os.getpid(), "python": platform.python_version()}
        if job.token:
            hello["token"] = job.token
        if job.cores:
            pin(job.cores)
        channel.send(records.HELLO, dict(hello, machine=machine.facts()))
        channel.send(records.ENTER, {"phase": records.START})
        channel.phase_done(records.START, ready_ns - (job.spawned_ns or guard.told_ns() or STARTED_NS))
        if job.profile:
            from .profiling import profile

            profile(job, channel)
        else:
            ProcessRunner(job, channel, host).measure()
    except MemoryError as error:
        return _report_out_of_memory(channel, repr(error))
    except SystemExit as error:
        return _report(channel, "SystemExit", "the model's code ended the process: exit(%r)" % (error.code,))
    except Exception as error:  # noqa: BLE001 - whatever a framework raises must reach the host as a record
        text = str(error) or repr(error)
        return (
            _report_out_of_memory(channel, text)
            if memory.ran_out(text)
            else _report(channel, type(error).__name__, text)
        )
    channel.send(records.END, {})
    return 0


def _report_out_of_memory(channel: Channel, text: str) -> int:
    most = memory.limit_bytes()
    limited = "" if most is None else ", limited to %d MiB of address space (ulimit -v)" % (most >> 20)
    return _report(channel, memory.OUT_OF_MEMORY, "the process ran out of memory%s: %s" % (limited, text))


def _report(channel: Channel, error: str, message: str) -> int:
    channel.send(records.ERROR, {"error": error, "message": message[:4000], "trace": traceback.format_exc()[-8000:]})
    channel.send(records.END, {})
    return 1


def run() -> NoReturn:
    """The whole life of the process: ``main``, and then past the interpreter's own shutdown.

    Some frameworks crash or hang there, and everything that is to be said has been said.
    """
    code = main()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
