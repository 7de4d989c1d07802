"""``AdapterConformance``: the promises of an adapter, one test each. Inherited by a test class of each adapter."""

from __future__ import annotations

from bench.conformance.answering import Answering
from bench.conformance.probing import Probing
from bench.conformance.telling import Telling


class AdapterConformance(Probing, Answering, Telling):
    """What every adapter owes. A subclass sets ``adapter`` and says what it runs by ``make_examples``.

    ``adapter`` is ``module:Class``, as in the entry point. Set ``computes`` to False for an adapter that
    makes its outputs up. ``thread_counts`` are the numbers of threads that are tried.
    """
