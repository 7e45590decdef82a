"""Numbers as they are written down.

The same row answered in another batch differs in the seventh digit or so. No more than six are
kept, which hides most of that, not all: a value next to the edge of a step falls on either side.
"""

from __future__ import annotations

import math

#: Fields of answers that count pixels.
PIXELS = frozenset(("xmin", "ymin", "xmax", "ymax", "x", "y"))


def number(value: float) -> float | None:
    """Six decimals below 1, six digits from there on; None for what JSON cannot say."""
    if -1 < value < 1:
        return round(value, 6) + 0.0  # no -0.0
    return float(f"{value:.6g}") if math.isfinite(value) else None


def pixels(value: float) -> float:
    """Two decimals; 0 for what is no number."""
    return round(value, 2) + 0.0 if math.isfinite(value) else 0.0


def percent(part: float, whole: float) -> float:
    """A length as percent of another, 0 to 100, to four decimals: a hundredth of a pixel."""
    return min(100.0, max(0.0, round(100 * part / whole, 4))) + 0.0
