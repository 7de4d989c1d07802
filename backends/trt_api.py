"""TensorRT's own package, or TensorRT-RTX's, which offers the same: what both need around a call.

Never construct anything of it where no GPU works: without a driver its ``Runtime`` is a null pointer whose next call
ends the process (seen: 10.16, 11.4). ``cuda_probe`` is asked first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from backends import staging
from backends.late import Late

if TYPE_CHECKING:
    import tensorrt as trt
else:
    trt = Late("tensorrt")

__all__ = ["Log", "choose", "dtype_of", "loose", "name_of", "new_log", "trt", "version"]

DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
"""``tensorrt.DataType`` by its names, in numpy's words; numpy has no ``bfloat16``."""
KEPT_LINES = 40
RTX = "tensorrt_rtx"

_CHOSEN: List[str] = ["tensorrt"]


def choose(module: str) -> None:
    """From now on ``trt`` is that package."""
    _CHOSEN[:] = [module]
    if not TYPE_CHECKING:
        trt.choose(module)


def name_of() -> str:
    """What the package is called in messages."""
    return "TensorRT-RTX" if _CHOSEN[0] == RTX else "TensorRT"


def dtype_of(native: Any) -> str:
    """A tensor's type in numpy's words; TensorRT's own where numpy has none."""
    name = str(native.name)
    return DTYPES.get(name, name.lower())


def loose(native: Any) -> Tuple[Optional[int], ...]:
    """A tensor's shape; None where it is open, which the library writes as -1."""
    return tuple(int(size) if size >= 0 else None for size in native)


class Log:
    """What the library says while it works: its calls only tell that they failed, and say why here."""

    def __init__(self) -> None:
        self._said: List[str] = []
        self.native: Any = None

    def keep(self, line: str) -> None:
        self._said = [*self._said[1 - KEPT_LINES :], line]

    def forget(self) -> None:
        """What was said until now has nothing to do with the call that follows."""
        self._said = []

    def since(self, default: str) -> str:
        """The errors since ``forget``, the first ones first, in one line; ``default`` where there is none."""
        said, self._said = self._said, []
        return staging.one_line(Exception("; ".join(dict.fromkeys(said)))) if said else default


def new_log() -> Log:
    """A log with the library's own logger (``native``) behind it, which keeps errors and passes nothing on.

    The library's own plugins are registered with it: graphs and engines may name them.
    """
    log = Log()
    bad = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class Logger(trt.ILogger):  # type: ignore[misc, unused-ignore]
        """The library calls it from threads of its own, too."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: "trt.ILogger.Severity", message: str) -> None:
            if severity in bad:
                log.keep(message)

    log.native = Logger()
    register_plugins: Any = getattr(trt, "init_libnvinfer_plugins", None)  # TensorRT-RTX has none
    if register_plugins is not None:
        register_plugins(log.native, "")
    return log


def version() -> Optional[str]:
    """The package's own version."""
    found = trt.__version__
    return None if found is None else str(found)
