"""Shared libraries that stand in for CUDA's on a machine without a GPU: a driver that finds none, and what is large.

ONNX Runtime's real CUDA provider is linked to gigabytes of libraries (cuBLAS, cuRAND) and loads more later (cuDNN,
cuFFT); it calls nothing of them before it has a device. Here each has every function that the provider wants of it, and
a call of one ends the process with that function's name: a test that passes has called none. CUDA's runtime, which
looks for the device, is the real one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

LARGE = re.compile(r"libcu(?!da\.|dart\.)\w+\.so\.\d+")
"""Sonames of CUDA's libraries but the driver's and the runtime's."""
HEAD = "#include <stdio.h>\n#include <stdlib.h>\n"
FUNCTION = 'void %s(void) { fputs("%s was called, which needs a GPU\\n", stderr); abort(); }\n'


def compiled(folder: Path, soname: str, source: Path, *words: str) -> None:
    """The library of that name, in ``folder``."""
    command: list[str | Path] = ["cc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{soname}", *words]
    subprocess.run([*command, "-o", folder / soname, source], check=True)


def no_device(folder: Path) -> None:
    """The driver's library of a machine where it finds no GPU."""
    compiled(folder, "libcuda.so.1", Path(__file__).with_name("no_device.c"))


def large_libraries(folder: Path, providers: Sequence[Path]) -> dict[str, set[str]]:
    """What stands in for the large libraries that these are linked to, in ``folder``; the functions of each."""
    wanted = "".join(printed("nm", "-D", "--undefined-only", one) for one in providers)
    needed = "".join(printed("readelf", "-dW", one) for one in providers)
    sonames = {name for name in re.findall(r"\(NEEDED\).*\[(.+)\]", needed) if LARGE.fullmatch(name)}
    found = {name: set(re.findall(rf" U (\w+)@{re.escape(name)}$", wanted, re.MULTILINE)) for name in sonames}
    for soname, names in found.items():
        aborting(folder, soname, sorted(names))
    return found


def aborting(folder: Path, soname: str, names: Sequence[str]) -> None:
    """A library whose functions, of the version that is called like it, end the process."""
    source, versions = folder / f"{soname}.c", folder / f"{soname}.map"
    source.write_text(HEAD + "".join(FUNCTION % (name, name) for name in names))
    versions.write_text(f"{soname} {{ global: *; }};\n")
    compiled(folder, soname, source, f"-Wl,--version-script={versions}")


def printed(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
