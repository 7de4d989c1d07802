"""From timings to estimates with intervals; pure, numpy only.

An interval here never counts calls as if they were independent: see ``dependence``.
"""

CONFIDENCE = 0.95
"""Of every interval that is reported."""
