"""`--dry-run`: what a run would take, from a small sample of it."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .compute import compute_s
from .fleet import Fleet
from .ledger import Ledger
from .rows import Origin, SourceRow, UnreadableRow
from .run import AnnotateRun
from .sources import Source

#: Rows of a sample.
SAMPLE_ROWS = 50

#: Draws of the bootstrap that makes the interval, and the share of them that it holds.
_DRAWS, _SHARE = 1000, 0.9


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run is expected to take; the interval holds nine of ten."""

    sampled: int
    failed: int
    #: Rows of the whole source; None where it does not say.
    rows: int | None
    rows_per_s: float
    seconds: float | None
    seconds_low: float | None
    seconds_high: float | None
    #: Seconds that devices compute, all together.
    compute_seconds: float | None


class _Sample(Source):
    """The first rows of a source; or rows spread over it, where it says how many it has."""

    def __init__(self, whole: Source, most: int) -> None:
        super().__init__(whole.task, whole.columns)
        self._whole, self._most = whole, most

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        rows = self._whole.count() or 0
        step = max(1, min(rows // self._most, 1000))
        return islice(self._whole.each(step), self._most)

    def count(self) -> int | None:
        rows = self._whole.count()
        return None if rows is None else min(rows, self._most)


def forecast(
    client: Fleet,
    source: Source,
    origin: Origin,
    rows_per_job: int,
    jobs_in_flight: int,
    *,
    rows: int | None = None,
) -> Forecast:
    """Run a sample and predict the rest. Writes nothing. `rows`: where the source has no count."""
    rows_per_job = min(rows_per_job, max(1, SAMPLE_ROWS // (2 * jobs_in_flight)))
    before = compute_s(client, origin.model)
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(Path(folder) / "ledger") as ledger,
    ):
        run = AnnotateRun(
            client,
            _Sample(source, SAMPLE_ROWS),
            origin,
            ledger,
            rows_per_job,
            jobs_in_flight,
        )
        started = time.monotonic()
        marks = [(time.monotonic() - started, p.done + p.failed) for p in run.run()]
    sampled = run.progress.read
    computed = compute_s(client, origin.model) - before
    paces = _paces(marks)
    rows = source.counted() if rows is None else rows
    rate = sampled / max(1e-9, marks[-1][0]) if marks else 0.0
    low, high = _interval(paces)
    return Forecast(
        sampled=sampled,
        failed=run.progress.failed,
        rows=rows,
        rows_per_s=rate,
        seconds=rows / rate if rows is not None and rate else None,
        seconds_low=rows * low if rows is not None and paces else None,
        seconds_high=rows * high if rows is not None and paces else None,
        compute_seconds=computed / sampled * rows if rows is not None and sampled else None,
    )


def _paces(marks: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Seconds and rows between two answers."""
    paces, last_s, last_rows = [], 0.0, 0
    for at_s, rows in marks:
        if rows > last_rows:
            paces.append((at_s - last_s, rows - last_rows))
            last_s, last_rows = at_s, rows
    return paces


def _interval(paces: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Seconds a row, low and high, by drawing the answers anew (Efron, 1979)."""
    if not paces:
        return 0.0, 0.0
    chance = random.Random(0)  # noqa: S311 # the same sample, the same interval
    means = []
    for _ in range(_DRAWS):
        drawn = chance.choices(paces, k=len(paces))
        means.append(sum(s for s, _ in drawn) / sum(rows for _, rows in drawn))
    means.sort()
    edge = int(_DRAWS * (1 - _SHARE) / 2)
    return means[edge], means[-1 - edge]
