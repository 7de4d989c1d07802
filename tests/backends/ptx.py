"""NVIDIA's assembly, PTX, as far as the GPU suite's kernels go: one thread of a kernel, an instruction at a time.

https://docs.nvidia.com/cuda/parallel-thread-execution/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ENTRY = r"\.entry %s\(([^)]*)\)\s*\{(.*?)\n\}"
_LABEL = re.compile(r"(\w+):")
MOST_STEPS = 10_000


class Thread:
    """``special`` are the special registers, each a number or an iterator of what it reads next.

    ``memory`` holds numbers by their address.
    """

    def __init__(self, special: Mapping[str, int | Iterator[int]], memory: dict[int, int]) -> None:
        self._special, self.memory = special, memory
        self._registers: dict[str, int] = {}
        self._given: dict[str, int] = {}

    def run(self, text: str, name: str, *given: int) -> None:
        """Run the kernel of that name; AssertionError where it has not ended after many steps."""
        found = re.search(_ENTRY % name, text, re.DOTALL)
        assert found, name
        names = re.findall(r"(\w+)\s*(?:,|$)", found[1])
        self._given = dict(zip(names, given, strict=True))
        lines = [line.strip() for line in found[2].splitlines() if line.strip() and ".reg" not in line]
        labels = {label[1]: at for at, line in enumerate(lines) if (label := _LABEL.fullmatch(line))}
        at = 0
        for _ in range(MOST_STEPS):
            if lines[at] == "ret;":
                return
            goes = None if _LABEL.fullmatch(lines[at]) else self._step(lines[at].rstrip(";"))
            at = at + 1 if goes is None else labels[goes]
        raise AssertionError("it does not end")

    def _step(self, line: str) -> str | None:
        """The label that it goes to, where it goes to one."""
        if line.startswith("@"):
            flag, _, rest = line[1:].partition(" ")
            return self._step(rest) if self._registers[flag] else None
        kind, _, rest = line.partition(" ")
        to, *others = (one.strip() for one in rest.split(","))
        if kind == "bra":
            return to
        if kind.startswith("st."):
            self.memory[self._value(to.strip("[]"))] = self._value(others[0])
        else:
            bits = 64 if kind.startswith("mul.wide") else int(kind[-2:])
            self._registers[to] = self._result(kind, others) % (1 << bits)
        return None

    def _result(self, kind: str, others: list[str]) -> int:
        if kind.startswith("ld.param"):
            return self._given[others[0].strip("[]")]
        if kind.startswith("ld.global"):
            return self.memory[self._value(others[0].strip("[]"))]
        a, b, c = [*map(self._value, others), 0, 0][:3]
        results: dict[str, int] = {
            "mov": a, "cvta": a, "add": a + b, "sub": a - b, "mul": a * b, "mad": a * b + c, "xor": a ^ b,
            "shr": a >> (b & 63), "setp": int(a < b),
        }  # fmt: skip
        return results[kind.partition(".")[0]]

    def _value(self, word: str) -> int:
        if word in self._special:
            read: Any = self._special[word]
            return int(read if isinstance(read, int) else next(read))
        return self._registers[word] if word.startswith("%") else int(word, 0)
