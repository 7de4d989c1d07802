"""Models for ``runner`` that torch computes on ``cuda:0``: ``python runner_on_cuda.py MODEL [FILE]``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from runner import serve  # type: ignore[import-not-found]

GPU = "cuda:0"


def on_gpu(array: Any) -> Any:
    return torch.tensor(array, device=GPU)


class Model:
    """Two dense layers from an ``.npz``."""

    name, threads, precision, device = f"torch {torch.__version__}", 1, "fp32", GPU

    def load(self) -> None:
        self.weights = {name: on_gpu(array) for name, array in np.load(sys.argv[2]).items()}

    def run(self, **inputs: Any) -> Any:
        """The copies of the outputs wait for the work."""
        outputs = self.answer(**{name: on_gpu(array) for name, array in inputs.items()})
        return {name: tensor.cpu().numpy() for name, tensor in outputs.items()}

    def answer(self, x: Any) -> Any:
        one = self.weights
        return {"y": torch.relu(x @ one["first"] + one["bias"]) @ one["second"]}


class Mixed(Model):
    def load(self) -> None:
        on_gpu(0)

    def answer(self, a: Any, b: Any, flag: Any, half: Any, k: Any) -> Any:  # type: ignore[override]
        scaled = (a + b) * k
        total = torch.where(flag, scaled, 0).float() + half.float()
        return {"total": total, "scaled": scaled, "inverse": ~flag, "again": half + half}


class Recurrent(Model):
    hidden: Any
    next: Any

    def load(self) -> None:
        super().load()
        self.reset()

    def answer(self, x: Any) -> Any:
        one = self.weights
        self.next = torch.tanh(x @ one["inward"] + self.hidden @ one["around"])
        return {"y": self.next @ one["outward"], "h_out": self.next}

    def advance(self) -> None:
        self.hidden = self.next

    def reset(self) -> None:
        self.hidden = torch.zeros(len(self.weights["around"]), device=GPU)


if __name__ == "__main__":
    serve(globals()[sys.argv[1]]())
