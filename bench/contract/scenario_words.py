"""The words of a limit block that are no metrics: how its scenario is to be run."""

from __future__ import annotations

from collections.abc import Mapping

from bench.contract.kinds import Choice, Quantity, Range, Schema, Whole, WholeRange
from bench.contract.nodes import Scalar
from bench.contract.paths import FilePath
from bench.contract.presets import MLPERF, SET
from bench.contract.tables import Field
from bench.device.arrivals import BURSTS, CONSTANT, POISSON
from bench.device.grouping import FLOOR, MOST_CALLS

DAY_NS = 86_400e9

PRESET = Field(
    "preset",
    Choice("a preset", (MLPERF,), loadgen=MLPERF, mlcommons=MLPERF),
    "`mlperf`: MLPerf Inference's own duration and counts instead of the short defaults; words beside it go before it",
)
ADAPTIVE = Range(1, 40)
ADAPTIVE_MIN_NS = 100_000_000
"""`min time` by default where processes only vote: a range of them, which is the default."""
MOST_PROCESSES = 1000
"""More are never started for one case."""
PROCESSES = Field(
    "processes",
    WholeRange(Whole("a number of processes", 1, MOST_PROCESSES, 3), {"adaptive": ADAPTIVE}),
    "Fresh processes to measure in: with a range as many as it takes until the typical one is judged; `adaptive`, the"
    f" default, is `{ADAPTIVE.low}..{ADAPTIVE.high}`, and decides after 8 that agree. A number alone is a quick look,"
    " at no stated error rate",
)
ERROR_RATE = Field(
    "error rate",
    Quantity("ratio", 1e-6, 0.1, "1 %"),
    "How often an answer may be wrong, each way; 1 % by default. Not with a fixed number of processes",
)
INDIFFERENCE = Field(
    "indifference",
    Quantity("ratio", 0, 0.5, "2 %"),
    "A zone to either side of each limit, as a share of it, in which either answer will do: *met* then says that the"
    " limit is kept within 2 %, *missed* that it is not kept with 2 % to spare; decided sooner; none by default",
)
TYPICAL, POOL, CALLS_ALONE = "typical process", "pool of calls", "independent calls"
COUNTED_MIN_NS = 25_000_000
"""`min time` by default where calls are counted: one block."""
COUNTED_IN = ("single-stream", "multi-stream")
"""Scenarios whose calls can be independent: elsewhere they wait for each other."""
PROMISE = Field(
    "promise",
    Choice(
        "a promise",
        (TYPICAL, POOL, CALLS_ALONE),
        typical=TYPICAL,
        process=TYPICAL,
        pool=POOL,
        calls=POOL,
        independent=CALLS_ALONE,
    ),
    "What is promised of a percentile, unless `processes` is a number alone: that the typical fresh process keeps it"
    " (the default), or that the pool of all calls does, which takes more processes (if no call is over the limit,"
    " 9 for a p50, 56 for a p90, 587 for a p99); `independent calls` promises it of each call, in single- and"
    " multi-stream, and decides as soon as enough calls are counted; where they are found to depend on each other the"
    " typical process is judged",
)
TIME = Field(
    "time", Quantity("ns", 1e6, DAY_NS, "2 s"), "Most time one process measures, without warm-up; 2 s by default"
)
MIN_TIME = Field(
    "min time",
    Quantity("ns", 0, DAY_NS, "200 ms"),
    "Least time, however early all is decided; 100 ms by default, 200 ms with a fixed number of processes",
)
QUERIES = Field(
    "queries",
    Whole("a number of queries", 1, 10_000_000, 10_000),
    "Most queries of one process; 10 000 000 by default",
)
CALLS = Field(
    "calls per timing",
    Whole("a number of calls", 1, MOST_CALLS, 16, words={"auto": 0}),
    f"Calls that one timing is the mean of; `auto`, the default: 1, or where a call takes less than {FLOOR} times what"
    " the clock adds to it, as many as take that long together",
)
BATCH = Field("batch", Whole("a batch size", 1, 1_000_000, 64), "Samples a query; 1 by default")
BEST_BATCH = Field(
    "batch",
    Whole("a batch size", 1, 1_000_000, 64, words={"best": 0}),
    "Samples a query, or `best`: the size with the highest throughput is looked for; 1 by default",
)
STREAMS = 8
"""Samples of a multi-stream query unless the contract says otherwise: MLPerf's number."""
SAMPLES = Field(
    "samples",
    Whole("a number of samples", 1, 1_000_000, STREAMS),
    f"Samples a query; {STREAMS} by default, as MLPerf's",
)


class ArrivalsKind(Choice):
    """``poisson``, ``constant``, or ``bursts of 8``."""

    def __init__(self) -> None:
        words = (POISSON, CONSTANT, "bursts of 8")
        super().__init__("a kind of arrivals", words, random=POISSON, exponential=POISSON, uniform=CONSTANT,
                         bursts="bursts of 8", burst="bursts of 8", batches="bursts of 8")  # fmt: skip

    def value(self, node: Scalar) -> str:
        return node.text if BURSTS.fullmatch(node.text) else super().value(node)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [{"enum": [POISSON, CONSTANT]}, {"type": "string", "pattern": f"^(?:{BURSTS.pattern})$"}]}


RATE = Field(
    "rate", Quantity("per_s", 0.1, 1e5, "200/s"), "Queries that arrive in a second; needed unless a `trace` tells it"
)
SOAKED_RATE = Field("rate", RATE.kind, "Queries that arrive in a second; needed")
ARRIVALS = Field(
    "arrivals",
    ArrivalsKind(),
    "How they arrive: at random (a seeded Poisson process), at equal distances, or so many at once at random moments"
    " (`bursts of 8`); `rate` is the mean; poisson by default",
)
TRACE = Field(
    "trace",
    FilePath("arrivals.npy"),
    "A recorded trace of arrivals instead of `rate` and `arrivals`: an .npy of offsets from its beginning (whole"
    " numbers are ns, others seconds), or a .csv whose first line is `seconds` or `nanoseconds`",
)
ARRIVING = Field(
    "time",
    Quantity("ns", 1e6, DAY_NS, "2 s"),
    "How long queries arrive in one process; those left are answered after"
    " it, for at most as long again; 2 s by default, a trace's whole length; `rate` x `time` is 10 million queries at"
    " most, unless `queries` says how many end it",
)
WORKERS = Field(
    "workers",
    Whole("a number of workers", 1, 64, 4),
    "Threads that answer queries, on one session where the backend's serve several threads, else on one each;"
    " 1 by default",
)
MAX_BATCH = Field(
    "max batch",
    Whole("a number of queries", 1, 256, 8),
    "Most queries that wait which are answered together, as one batch; 1 by default",
)
MAX_WAIT = Field(
    "max wait",
    Quantity("ns", 0, 60e9, "2 ms"),
    "How long a free worker waits for a full batch, from the first query's arrival; 0 by default",
)
QUEUE = Field(
    "queue",
    Whole("a number of queries", 1, 1_000_000, 100),
    "Most queries that wait: one that comes to a full queue is dropped, and counts as never answered;"
    " any number by default",
)
TIMEOUT = Field(
    "timeout",
    Quantity("ns", 1e3, DAY_NS, "50 ms"),
    "Answers later than this are counted as timed out; none by default",
)
LEAVE_OUT = "leave out"
DISTURBED = Field(
    "disturbed blocks",
    Choice("what to do with them", ("keep", LEAVE_OUT), drop=LEAVE_OUT, ignore=LEAVE_OUT),
    "Whether verdicts are of all blocks, or of those that nothing disturbed; keep by default. Both are in the results",
)
MIN_SEARCH_NS, SEARCH_NS = 5_000_000_000, 15_000_000_000
"""A search that the contract gives no time to: a quick model's, and that of a model that needs as long or longer."""
SEARCH_TIME = Field(
    "search time",
    Quantity("ns", 1e9, DAY_NS, "15 s"),
    "How long one process searches for the highest rates (`max rate under p99 10 ms: 500/s`); by default 5 s of a model"
    " that answers a p99's 400 queries in half a second, and up to 15 s of a slower one",
)
PROMISE_OF_CALLS = (
    f"`promise: {CALLS_ALONE}` is for {' and '.join(COUNTED_IN)}: elsewhere calls wait for each other; leave it out"
)
PROMISE_WITHOUT_RANGE = (
    "`promise` is about processes that go on until it is decided, and here their number is fixed:"
    " write `processes: adaptive`"
)
SOAK_NS = 600_000_000_000
WEEK_NS = 7 * DAY_NS
MOST_SOAKED = 100_000_000
SOAKING = Field(
    "time",
    Quantity("ns", 1e9, WEEK_NS, "2 h"),
    f"How long queries arrive in one process; `rate` x `time` is {MOST_SOAKED // 10**6} million queries at most;"
    " 10 min by default",
)
SOAKED = Field(
    "processes", Whole("a number of processes", 1, 100, 1), "Fresh processes, one after the other; 1 by default"
)
WITHOUT_RANGE = (
    "`error rate` is about processes that go on until they agree, and here their number is fixed:"
    " write `processes: adaptive`"
)
DECIDED = (PROCESSES, ERROR_RATE, INDIFFERENCE, PROMISE)
HOW_MANY = frozenset({PROCESSES.name, ERROR_RATE.name, PROMISE.name})
"""Words that say how many processes there are, or how sure of the answer one must be."""
SETTINGS: Mapping[str, tuple[Field[int] | Field[float] | Field[str] | Field[int | Range], ...]] = {
    "single-stream": (PRESET, BATCH, *DECIDED, TIME, MIN_TIME, QUERIES, CALLS, DISTURBED),
    "multi-stream": (PRESET, SAMPLES, *DECIDED, TIME, MIN_TIME, QUERIES, CALLS, DISTURBED),
    "server": (
        *(PRESET, RATE, ARRIVALS, TRACE, WORKERS, MAX_BATCH, MAX_WAIT, QUEUE, TIMEOUT),
        *(*DECIDED, ARRIVING, MIN_TIME, QUERIES, SEARCH_TIME),
    ),
    "offline": (PRESET, BEST_BATCH, *DECIDED, TIME, MIN_TIME, QUERIES, DISTURBED),
    "cold-start": (PROCESSES, ERROR_RATE, INDIFFERENCE),
    "soak": (SOAKED_RATE, ARRIVALS, WORKERS, SOAKED, SOAKING, INDIFFERENCE),
    "accuracy": (),
    "agreement": (),
}
"""A block's words that are no metrics."""
INSTEAD: Mapping[str, tuple[str, ...]] = {
    "trace": ("rate", "arrivals"),
    "rate": ("trace",),
    "arrivals": ("trace",),
    "preset": SET,
}
"""Words that say the same thing otherwise: a block has one of them, and a later layer's stands."""
