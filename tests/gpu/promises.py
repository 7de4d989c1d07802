"""What every backend's sessions keep on a GPU: one set of checks, none of which can pass on a CPU.

A backend's own file says how its models are made and opened, and what a run of it is that does not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from backends import cuda_probe
from backends.cuda_arithmetic import SINCE_AMPERE
from bench.conformance import AdapterConformance, Example, onnx_examples, wide_onnx_example
from bench.device.adapter import ModelFiles, Query, Session, Settings
from tests.gpu.leaks import Held, opened_and_left
from tests.gpu.sessions import DEVICE, audited, device_ns, layers, median_ns, query

SIZE, BATCH = 2048, 64
MIB = 1 << 20
GIB_S = 128
"""GB/s that no copy through a slot of PCI Express exceeds: 16 lanes of its sixth generation."""
RESIDENCIES = ("host", "device")
CAPTURED = {"cuda graph": True}


class Computed(NamedTuple):
    """A precision that graphs of precision ``graph`` are computed in, and what answers may differ by from the CPU's of
    the graph in fp32, as a share of the largest."""

    graph: str
    precision: str
    off: float

    def __str__(self) -> str:
        return self.precision if self.precision == self.graph else f"{self.precision}-of-{self.graph}"


def before_ampere(gpu: cuda_probe.Gpu) -> bool:
    return int(gpu.capability.partition(".")[0]) < 8


_SEEN: set[type] = set()


class Conformance(AdapterConformance):
    """What every adapter promises anywhere, on the GPU."""

    __test__ = False
    settings: ClassVar[Settings] = Settings(device=DEVICE)

    test_as_many_threads_work_as_facts_say = None  # type: ignore[assignment]
    """Not collected: threads of the CPU are not what computes here."""

    @pytest.fixture(autouse=True)
    def _on_the_gpu(self, examples: Sequence[Example]) -> None:
        """Each check, whatever it looks at, is of an adapter that computes on the GPU: seen once a process."""
        if type(self) in _SEEN:
            return
        with self._open(examples[0]) as session:
            session.run(session.stage(examples[0].queries[0]))
        _SEEN.add(type(self))

    def test_it_is_the_gpu(self, examples: Sequence[Example], gpu: cuda_probe.Gpu) -> None:
        with self._open(examples[0]) as session:
            session.run(session.stage(examples[0].queries[0]))
            facts = session.facts()
        assert facts["gpu"] == gpu._asdict()
        self.check_place(facts)

    def check_place(self, facts: Mapping[str, object]) -> None:
        """What else the backend tells of where it computed."""
        assert str(facts["gpu caches"]).startswith("warm")


class OnnxConformance(Conformance):
    """The examples in ONNX, as far off the CPU's answers as a GPU's order of summing may bring them."""

    __test__ = False

    def make_examples(self, folder: Path) -> Sequence[Example]:
        return [replace(one, settings=self.settings, rtol=1e-3, atol=1e-4) for one in onnx_examples(folder)]

    def make_wide_example(self, folder: Path) -> Example:
        return replace(wide_onnx_example(folder), settings=self.settings, rtol=1e-3, atol=1e-3)


class Promises:
    """What sessions keep. A test is made for each of ``computes`` and each of the options of ``captured``.

    ``clocked`` are the options with which a session tells times by the GPU's own clock.
    """

    computes: ClassVar[Sequence[Computed]] = (Computed("fp32", "fp32", 1e-4), Computed("fp32", "tf32", 1e-2))
    captured: ClassVar[Sequence[Mapping[str, Any]]] = ({}, CAPTURED)
    clocked: ClassVar[Mapping[str, Any]] = {}

    def layers(
        self, folder: Path, count: int, size: int, batch: int | str = "batch", graph: str = "fp32"
    ) -> ModelFiles:
        """``count`` matrix products of ``size``, with a ReLU after each, computed in ``graph``'s precision; in ONNX."""
        return layers(folder, count, size, batch, graph)

    def opened(self, model: ModelFiles, extra: Mapping[str, Any] | None = None, **settings: Any) -> Session:
        raise NotImplementedError

    def unwaited(self, session: Any) -> Callable[[Any], Any]:
        """The session's run without its wait."""
        raise NotImplementedError

    def settle(self, session: Any) -> None:
        """Wait for what is left of unwaited work, where leaving the session does not."""

    def answer(self, model: ModelFiles, asked: Query, **settings: Any) -> Any:
        with self.opened(model, **settings) as session:
            return session.read(session.run(session.stage(asked)))["y"]

    def right(self, model: ModelFiles, asked: Query) -> Any:
        """The CPU's answer."""
        return self.answer(model, asked, device="cpu", residency="host")

    @pytest.mark.parametrize("residency", RESIDENCIES)
    def test_the_latencies_account_for_the_work(self, residency: str, folder: Path) -> None:
        with self.opened(self.layers(folder, 16, SIZE), residency=residency) as session:
            ratio, complaint = audited(session, BATCH, SIZE)
        assert complaint == ""
        assert ratio >= 0.95

    def test_a_run_that_does_not_wait_is_caught(self, folder: Path) -> None:
        """The negative control: the same session, its run returning while the GPU still works."""
        with self.opened(self.layers(folder, 16, SIZE), residency="device") as session:
            inner: Any = session
            inner.run = self.unwaited(session)
            _, complaint = audited(session, BATCH, SIZE)
            self.settle(session)
        assert complaint.startswith("the clock stopped before the work did")

    def test_host_resident_is_slower_by_about_the_copy(self, folder: Path) -> None:
        """One layer, large inputs: what differs is 64 MiB to the GPU and 64 MiB back, by a session's own word, too."""
        model, asked, took, copies = self.layers(folder, 1, 1024), query(16384, 1024), {}, 0.0
        for residency in RESIDENCIES:
            with self.opened(model, residency=residency) as session:
                took[residency] = median_ns(session, asked, 20)
                if residency == "host" and hasattr(session, "device_times"):
                    copies = sum(device_ns(session, asked, which) for which in ("host to device", "device to host"))
        assert took["host"] - took["device"] > 2 * 64 * MIB / GIB_S
        if copies:
            assert took["host"] - took["device"] == pytest.approx(copies, rel=0.3)

    def test_twice_the_work_takes_twice_the_time(self, folder: Path) -> None:
        times = []
        for count in (8, 16):
            with self.opened(self.layers(folder, count, 4096), residency="device") as session:
                times.append(median_ns(session, query(1024, 4096)))
        assert 1.7 < times[1] / times[0] < 2.3

    @pytest.mark.parametrize("residency", RESIDENCIES)
    def test_outputs_are_the_cpus_within_the_precision(
        self, computed: Computed, residency: str, folder: Path, gpu: cuda_probe.Gpu
    ) -> None:
        if computed.precision in SINCE_AMPERE and before_ampere(gpu):
            pytest.skip(f"this GPU is older than {computed.precision}")
        model = self.layers(folder, 4, 512, graph=computed.graph)
        for seed in (1, 2):
            asked = query(32, 512, seed)
            right = self.right(self.layers(folder, 4, 512), asked)
            found = self.answer(model, asked, precision=computed.precision, residency=residency)
            np.testing.assert_allclose(found, right, computed.off, computed.off * float(np.abs(right).max()))

    def test_tf32_is_other_arithmetic_than_fp32(self, folder: Path, gpu: cuda_probe.Gpu) -> None:
        if before_ampere(gpu):
            pytest.skip("this GPU is older than TF32")
        model, asked = self.layers(folder, 4, SIZE), query(32, SIZE)
        fp32, tf32 = (self.answer(model, asked, precision=precision) for precision in ("fp32", "tf32"))
        assert not np.array_equal(fp32, tf32)

    def test_each_query_is_answered_with_its_own(self, captured: Mapping[str, Any], folder: Path) -> None:
        model = self.layers(folder, 4, 256, batch=4)
        asked = [query(4, 256, seed) for seed in range(3)]
        right = [self.right(model, one) for one in asked]
        with self.opened(model, captured, residency="device") as session:
            staged = [session.stage(one) for one in asked]
            for at in (0, 1, 2, 0):
                np.testing.assert_allclose(session.read(session.run(staged[at]))["y"], right[at], 1e-3, 1e-3)

    def test_a_captured_graph_is_faster_than_many_small_launches(self, folder: Path) -> None:
        model, asked, took = self.layers(folder, 64, 256, batch=4), query(4, 256), []
        for extra in (CAPTURED, {}):
            with self.opened(model, extra, residency="device") as session:
                took.append(median_ns(session, asked))
        assert took[0] < took[1]

    def test_the_gpus_own_time_is_the_hosts_but_for_starting_and_waiting(self, folder: Path) -> None:
        """Of work that takes milliseconds; twice as much takes twice as long by the GPU's clock, too."""
        asked, computed = query(1024, 4096), []
        for count in (8, 16):
            with self.opened(self.layers(folder, count, 4096), self.clocked, residency="device") as session:
                host, device = median_ns(session, asked), device_ns(session, asked)
                assert device_ns(session, asked, "enqueue") < device
            assert 0.95 * host <= device <= 1.02 * host
            computed.append(device)
        assert 1.7 < computed[1] / computed[0] < 2.3

    def test_a_thousand_opens_keep_nothing(self, folder: Path) -> None:
        """Weights are 4 MiB: what kept a tenth of them, of the GPU or of the host, would be seen."""
        model, asked = self.layers(folder, 4, 512), query(8, 512)
        grown = opened_and_left(lambda: self.opened(model, residency="device"), asked, Held.now, 1000)
        assert grown.gpu_bytes < 64 * MIB
        assert grown.host_bytes < 256 * MIB
