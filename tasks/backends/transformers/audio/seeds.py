from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, place: str) -> Iterator[None]:
    """Have torch draw from this seed, and leave what others draw from as it was."""
    with torch.random.fork_rng([place] if place.startswith("cuda") else []):
        torch.manual_seed(seed)
        yield
