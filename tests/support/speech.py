"""Speech that hibari's voice says, and how far what was written down is from it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from hibari import SAMPLE_RATE, Hibari
from numpy.typing import NDArray

#: Samples per second of all that is spoken.
RATE: int = SAMPLE_RATE

Samples = NDArray[np.float32]


class Voice:
    """Speaks American English."""

    def __init__(self) -> None:
        self._hibari = Hibari(threads=1)

    def say(self, text: str) -> Samples:
        """A sentence as samples in [-1, 1]."""
        return np.asarray(self._hibari(text, seed=0), dtype=np.float32)

    def tell(self, texts: Sequence[str], *, pause_s: float) -> tuple[Samples, list[float]]:
        """Sentences with silence after each; and when each begins, in seconds."""
        pause = np.zeros(round(pause_s * RATE), dtype=np.float32)
        parts = [np.concatenate([self.say(text), pause]) for text in texts]
        starts = np.cumsum([0, *(len(part) for part in parts[:-1])]) / RATE
        return np.concatenate(parts), starts.tolist()


def words(text: str) -> list[str]:
    """Its words in small letters, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def word_error_rate(heard: str, said: str) -> float:
    """Words put in, left out or changed, per word said (Levenshtein's distance)."""
    expected = words(said)
    costs = list(range(len(expected) + 1))
    for i, word in enumerate(words(heard), start=1):
        before, costs[0] = costs[0], i
        for j, other in enumerate(expected, start=1):
            changed = before + (word != other)
            before = costs[j]
            costs[j] = min(changed, costs[j] + 1, costs[j - 1] + 1)
    return costs[-1] / len(expected)
