"""A program of the user's own as a backend: whatever runtime it is made with, it is measured by the same scenarios.

It speaks the lines of docs/command-protocol.md over its standard input and output.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Set, Tuple

from backends import cuda_probe, options, staging
from backends.command_pipe import Pipe
from backends.command_session import CommandSession, CommandStateSession
from bench.device import gpu_named
from bench.device.adapter import (
    AdapterError,
    Availability,
    DeviceUnavailable,
    ModelFiles,
    ModelRejected,
    Settings,
)
from bench.device.declared import Conflict, Declared

COMMAND, VERSION = "command", 1
HELP = (
    "the program and its arguments, as in `./runner {onnx}`: {KIND} stands for the path of that artifact; a relative "
    "path is one within the contract's folder, in which it runs; it runs only with --allow-code"
)
OPTIONS: Mapping[str, Declared] = {COMMAND: HELP}
_ARTIFACT = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
_DEVICE = re.compile(r"cpu|cuda:[0-9]{1,3}|other-[A-Za-z0-9_.-]+(:[0-9]{1,3})?")
DEVICES = "cpu, cuda:N, or other-NAME for what only the program knows, like other-npu"
"""``cuda:N`` is asked of the driver; ``other-NAME`` cannot be taken for the name of a device that was looked at."""


class CommandAdapter:
    """Any model that a program of the user's own runs."""

    artifact_kinds: Tuple[str, ...] = ()
    options: Mapping[str, Declared] = OPTIONS
    packages: Tuple[str, ...] = ()
    code_options: Tuple[str, ...] = (COMMAND,)
    concurrent_runs = False
    """A program answers one line after the other."""

    def __init__(self) -> None:
        self._running: Set[int] = set()

    def probe(self) -> Availability:
        return Availability(True, devices=("cpu",))

    def processes(self) -> Tuple[int, ...]:
        return tuple(self._running)

    def conflict(self, model: ModelFiles, settings: Settings) -> Conflict:
        """What ``open`` would refuse: an unknown device, no program, or one that is not where the contract says."""
        why = _unknown(settings.device)
        if why:
            return "device", why
        if settings.residency != "host":
            return "residency", "a query reaches the program through the host's memory: say `residency: host`"
        try:
            words = _words(settings)
        except AdapterError as error:
            return COMMAND, str(error)
        if "/" not in words[0] or Path(words[0]).is_absolute() or model.code_dir is None:
            return None
        program = model.code_dir / words[0]
        if not program.is_file():
            return COMMAND, "there is no file `%s` in the contract's folder" % words[0]
        return (
            None if shutil.which(str(program)) else (COMMAND, "`%s` may not be run: chmod +x %s" % (words[0], words[0]))
        )

    def open(self, model: ModelFiles, settings: Settings) -> CommandSession:
        options.check_known(settings, self.options, (settings.device,))
        why = _unknown(settings.device)
        if why:
            raise DeviceUnavailable(why)
        options.refuse(self.conflict(model, settings))
        words, used = _filled(_words(settings), model)
        words[0] = _program(words[0], model.code_dir)
        pipe = Pipe(words, model.code_dir, self._running)
        try:
            facts = _greeted(pipe, settings, used, Path(words[0]).name)
            return (CommandStateSession if model.state else CommandSession)(pipe, model, facts)
        except BaseException:
            pipe.close()
            raise


def _unknown(device: str) -> str:
    """Why a device is none that a program may say; nothing where it is one."""
    known = _DEVICE.fullmatch(device)
    if known and device.startswith("other-") and gpu_named.is_named(device):
        return "device `%s`: %s" % (device, gpu_named.SAY_CUDA)
    return "" if known else "nothing looks at a device `%s`; of a program it is %s" % (device, DEVICES)


def _words(settings: Settings) -> List[str]:
    """The program and its arguments; no shell ever sees them."""
    text = settings.extra.get(COMMAND)
    if not isinstance(text, str) or not text.strip():
        raise AdapterError("no program is named, or it may not run (--allow-code): say `options: {command: ./runner}`")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise AdapterError("`%s` cannot be split into words: %s" % (text, error))


def _filled(words: List[str], model: ModelFiles) -> Tuple[List[str], Dict[str, Path]]:
    """The words with the artifacts' paths in them, and which those are."""
    used: Dict[str, Path] = {}

    def path(found: "re.Match[str]") -> str:
        kind = found.group(1)
        if kind not in model.artifacts:
            has = ", ".join(sorted(model.artifacts)) or "no artifact"
            raise ModelRejected("option `command` names the artifact `%s`; the contract has %s" % (kind, has))
        used[kind] = model.artifacts[kind].absolute()
        return str(used[kind])

    return [words[0], *(_ARTIFACT.sub(path, word) for word in words[1:])], used


def _program(word: str, folder: Optional[Path]) -> str:
    """The program's path; DeviceUnavailable where there is none that can be run."""
    beside = str((folder or Path()).absolute() / word) if "/" in word else word
    found = shutil.which(beside)
    if found is None:
        raise DeviceUnavailable("there is no program `%s` that can be run here" % word)
    return found


def _of_the_device(device: str, program: str) -> Dict[str, object]:
    """Whose word a device is, and which GPU is named; DeviceUnavailable where the driver has none such."""
    if device == "cpu":
        return {}
    gpu = {"gpu": cuda_probe.demanded(device)._asdict()} if device.startswith("cuda:") else {}
    return dict(gpu, notes=[gpu_named.OWN_WORD % (device, program)])


def _greeted(pipe: Pipe, settings: Settings, used: Mapping[str, Path], program: str) -> Dict[str, object]:
    """What the program says it runs with, which must be what was asked for. It loads its model for this answer."""
    asked = (str(settings.threads), settings.precision, settings.device)
    answer, refusal = pipe.greet("benchpact %d %s" % (VERSION, " ".join(asked)))
    files = ", ".join(path.name for path in used.values()) or "the model"
    if refusal:
        raise ModelRejected("%s does not take %s: %s" % (program, files, staging.one_line(Exception(refusal))))
    words = answer.split(None, 5)
    if len(words) < 6 or words[:2] != ["ready", str(VERSION)]:
        raise AdapterError(
            "%s answered %r, which is not `ready %d THREADS PRECISION DEVICE NAME`" % (program, answer[:80], VERSION)
        )
    for what, wanted, given in zip(("threads", "precision", "device"), asked, words[2:5]):
        if wanted != given:
            raise DeviceUnavailable("asked for %s %s, but %s runs with %s" % (what, wanted, program, given))
    return {
        **_of_the_device(settings.device, program),
        "device": settings.device,
        "precision": settings.precision,
        "threads": settings.threads,
        "artifact": next(iter(used), "none"),
        "residency": "host",
        "program": words[5][:200],
    }
