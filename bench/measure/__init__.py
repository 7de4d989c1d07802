"""One case measured: its processes, what is recorded of it, and what holds for every case of a run."""

from bench.measure.case import measure_case
from bench.measure.conditions import Conditions

__all__ = ["Conditions", "measure_case"]
