"""What a graph's numbers must be before anything is made of them. A graph that was taken for one of
another kind answers numbers too: nothing else would tell.

Every answer is looked at, not the first alone: half precision overflows on some images and not on
others. That costs little beside the run: 8,400 candidates of 84 numbers take a core 0.7 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import BackendError

#: How far beyond 0 and 1 a probability may be: half precision and quantised graphs round.
_ROUNDING = 0.01


def finite(values: NDArray[Any], what: str) -> NDArray[Any]:
    """Numbers that are neither NaN nor infinite. Raises BackendError."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    # The sum is quick, and tells of any; but it may be too large itself.
    if not np.isfinite(total) and not np.isfinite(values).all():
        raise BackendError(f"the graph's {what} are not all numbers: some are NaN or infinite")
    return values


def chances(scores: NDArray[np.float32], what: str = "scores") -> NDArray[np.float32]:
    """Scores that are probabilities. Raises BackendError."""
    if not scores.size:
        return scores
    least, most = scores.min(), scores.max()
    if not (least >= -_ROUNDING and most <= 1 + _ROUNDING):  # so that NaN fails too
        raise BackendError(
            f"the graph's {what} reach from {least:.4g} to {most:.4g}: they are no probabilities"
        )
    return scores.clip(0, 1) if least < 0 or most > 1 else scores
