"""Where everything of ours lies on a board. What runs beside a worker imports no more than it must: not ``pathlib``."""

from __future__ import annotations

import os


def cache_folder() -> str:
    """``$XDG_CACHE_HOME/benchpact`` or ``~/.cache/benchpact``, which need not be there."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = home if os.path.isabs(home) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "benchpact")
