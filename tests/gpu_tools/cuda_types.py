"""Types of NVIDIA's real ``cuda.bindings.driver``, printed: it has none of its own.

Run in an environment that has it: ``python cuda_types.py``. Names and numbers of arguments are the module's own; what
kind they are of, it does not tell.
"""

from __future__ import annotations

import inspect
from typing import Any

from cuda.bindings import driver

HEAD = "from typing import Any\n"


def members(kind: type) -> list[str]:
    """An enumeration's names are integers; what else a class has is left open."""
    own = [name for name in vars(kind) if not name.startswith("_")]
    return [f"    {name}: {kind.__name__ if issubclass(kind, int) else 'Any'}" for name in own]


def function(name: str, native: Any) -> str:
    parameters = [f"{one}: Any" for one in inspect.signature(native).parameters]
    return f"def {name}({', '.join(parameters)}) -> tuple[Any, ...]: ..."


def lines() -> list[str]:
    found = [HEAD]
    for name, native in vars(driver).items():
        if inspect.isclass(native):
            base = "(int)" if issubclass(native, int) else ""
            found += [f"class {name}{base}:", "    def __init__(self, *values: Any) -> None: ...", *members(native)]
        elif name.startswith("cu") and callable(native):
            found.append(function(name, native))
    return found


if __name__ == "__main__":
    print("\n".join(lines()))
