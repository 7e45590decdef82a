"""A run's memory does not grow with its rows, here or on the server: `make bench-annotate-memory`
in small.
"""

from __future__ import annotations

import pytest
from bench.annotate_memory import CLIENT, REDIS, measure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROWS = 20_000

#: MB from a twentieth of the rows to all of them: what leaks a kilobyte a row is far above it.
MOST_MB = {CLIENT: 12.0, REDIS: 2.5, "api": 12.0, "worker-vision": 12.0}


def test_memory_stays_the_same_however_many_rows() -> None:
    [(short, long)], _ = measure(ROWS, ("coco-detection",))
    assert set(long.peaks) == set(MOST_MB)
    grown = {name: peak - short.peaks[name] for name, peak in long.peaks.items()}
    too_much = {name: mb for name, mb in grown.items() if mb > MOST_MB[name]}
    assert not too_much, grown
