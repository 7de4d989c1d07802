"""What an adapter says before any model is opened: its probe, its module, what it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from types import ModuleType
from typing import Any

import pytest

from bench.conformance.examples import Example
from bench.conformance.tried import Tried
from bench.device.adapter import AdapterError, DeviceUnavailable


class Probing(Tried):
    """A probe that tells what is there and never raises; options and devices that are refused by name."""

    def test_probe_tells_versions_and_devices(self) -> None:
        found = self._adapter().probe()
        assert found.usable, found.reason
        assert found.devices
        assert set(self._adapter().packages) <= set(found.versions)
        json.dumps(asdict(found))

    def test_probe_never_raises_and_says_what_would_mend_a_broken_install(self) -> None:
        packages = self._adapter().packages
        for name in packages:
            for broken in (None, ModuleType(name), _Broken(name)):
                with _replaced({name: broken}):
                    self._adapter().probe()
        if packages:
            with _replaced(dict.fromkeys(packages)):
                found = self._adapter().probe()
            assert not found.usable
            assert found.reason
            assert found.remedy

    def test_its_module_imports_without_its_framework(self) -> None:
        packages = [name.replace("-", "_") for name in self._adapter().packages if name != "numpy"]
        lines = (
            "import importlib, sys",
            "importlib.import_module(sys.argv[1])",
            "print([name for name in sys.argv[2:] if name in sys.modules])",
        )
        module = self.adapter.partition(":")[0]
        assert self._printed_by("-c", "\n".join(lines), module, *packages) == "[]"

    def test_an_unknown_option_or_device_is_refused(self, examples: Sequence[Example]) -> None:
        example = examples[0]
        with pytest.raises(AdapterError, match="no such option"):
            self._open(replace(example, settings=replace(example.settings, extra={"no such option": 1})))
        with pytest.raises(DeviceUnavailable, match="abacus"):
            self._open(replace(example, settings=replace(example.settings, device="abacus:0")))
        with pytest.raises(AdapterError, match="fp1"):
            self._open(replace(example, settings=replace(example.settings, precision="fp1")))


class _Broken(ModuleType):
    """A package that is there and fails at the first touch, as one does whose libraries are missing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise OSError("libbroken.so.1: cannot open shared object file")


@contextmanager
def _replaced(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Modules as they are imported inside; None is one that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name.replace("-", "_"), module)
        yield
