"""scikit-learn's handwritten digits, split once and for all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

#: Fixes the split: what was held out in training is held out everywhere.
SEED = 0

Numbers = NDArray[Any]


def load() -> tuple[NDArray[np.uint8], Numbers]:
    """All scans, (1797, 8, 8), and the digits they show."""
    digits = load_digits()
    return (digits.images / 16 * 255).astype(np.uint8), digits.target


def split(labels: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Indices to train on (1257), to validate by (180), and held out (360)."""
    numbers = np.arange(len(labels))
    rest, held_out = train_test_split(numbers, test_size=360, random_state=SEED, stratify=labels)
    train, validation = train_test_split(
        rest, test_size=180, random_state=SEED, stratify=labels[rest]
    )
    return train, validation, held_out
