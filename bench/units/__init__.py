"""Quantities as people write them: ``5 ms``, ``300 MiB``, ``1200/s``, ``97 %`` to and from base units.

The base units are nanoseconds, bytes, bytes an hour, samples a second, microjoules, a share of one, a number.
"""

from bench.units.kinds import NUMBER_PATTERN, example, known_units, pattern, what
from bench.units.reading import parse
from bench.units.showing import show

__all__ = ["NUMBER_PATTERN", "example", "known_units", "parse", "pattern", "show", "what"]
