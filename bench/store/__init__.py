"""Results on disk: the one place that knows their layout. Runs are written whole, read strictly, never unpickled."""

from bench.store.reading import find, load_timings, names, open_run
from bench.store.run_store import RunStore, create, new_run_id, reopen
from bench.store.timings_file import TimingsWriter

__all__ = ["RunStore", "TimingsWriter", "create", "find", "load_timings", "names", "new_run_id", "open_run", "reopen"]
