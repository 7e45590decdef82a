"""What a run's output is told beside its answers, read from what its shards left in the store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..client.annotate import Options, Summary
from ..client.annotate.annotate import AnsweringTimes, sum_up, view
from ..client.annotate.beside import NOTHING_BESIDE, Beside
from ..client.annotate.ledger import Ledger
from ..client.annotate.output import Findings
from ..client.annotate.rows import Origin
from ..client.annotate.run import Progress
from ..jobs.call import Queue
from ..jobs.run_agreement import Agreement, compare_whole
from ..jobs.run_quality import Quality
from ..jobs.run_records import Run, Shard
from ..jobs.run_rows import PlacedRow, Sheets
from ..jobs.runs import get_run, shards_of
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import NotFound
from ..tasks.annotations.near_duplicates import SeenPictures, near_duplicates, near_view
from .hold import StepHold

#: Parts of a summary that are long: a run's record, which is read often, has none of them.
_LONG = ("stretches", "near_duplicates", "compared")

#: Groups of pictures that look alike, and rows of each, that a record has.
_GROUPS, _ROWS = 12, 4


def brief(summary: Summary) -> dict[str, Any]:
    """A summary for a run's record; of what is long, its figures."""
    whole = view(summary)
    told = {name: value for name, value in whole.items() if name not in _LONG}
    near, compared = whole.get("near_duplicates"), whole.get("compared")
    if near:
        few = [{**group, "rows": group["rows"][:_ROWS]} for group in near["listed"][:_GROUPS]]
        told["near_duplicates"] = {**near, "listed": few}
    if compared:
        told["compared"] = {**compared, "least": []}
    return told


def beside_of(
    hold: StepHold,
    run: Run,
    shards: Sequence[Shard],
    queue: Queue,
    jobs: JobsSettings,
    store: Store,
) -> Beside:
    """What looks alike in a whole run, and how another run answered it."""
    sheets = Sheets(store, run, shards)
    near = Quality(store, run, shards).near(hold.check)
    rows = dict(near.rows) if near else {}
    compared = _compared(hold, sheets, run.spec.compare, queue, jobs, store)
    if compared:
        rows |= sheets.of_indexes({told["index"] for told in compared["least"]})
    pictures = dict(_pictures(sheets, rows))
    return Beside(near.told if near else None, compared, pictures)


def _compared(
    hold: StepHold, sheets: Sheets, other_id: str, queue: Queue, jobs: JobsSettings, store: Store
) -> dict[str, Any] | None:
    if not other_id:
        return None
    other = queue.run(get_run(other_id, jobs))
    if other is None:  # forgotten meanwhile
        return {"run": other_id, "model": "", **Agreement().as_json(sheets.counted)}
    shards = queue.run(shards_of(other_id, jobs))
    found = compare_whole(sheets, Sheets(store, other, shards), hold.check)
    return {"run": other.spec.name or other_id, "model": other.spec.model, **found}


def _pictures(sheets: Sheets, rows: dict[int, PlacedRow]) -> Iterator[tuple[int, bytes]]:
    for index, placed in rows.items():
        try:
            yield index, sheets.picture(placed)
        except NotFound:
            continue  # not every row's is kept


def seen_in_shard(seen: SeenPictures, ledger: Ledger, first: int) -> Beside:
    """What looks alike in one shard."""
    if not len(seen):
        return NOTHING_BESIDE
    found = near_duplicates(seen.table)
    wanted = [at - first for group in found.listed for at in group.positions]
    ids = {at + first: row_id for at, (row_id, _) in ledger.named(wanted).items()}
    return Beside(near_view(found, ids))


def sample_report(
    options: Options,
    origin: Origin,
    ledger: Ledger,
    findings: Findings,
    progress: Progress,
    beside: Beside,
    folder: Path,
    took_s: float,
    device_s: float,
) -> bytes:
    """The page about the rows that are answered before a run is held."""
    now = time.monotonic()
    answered = AnsweringTimes(
        started_at=now - took_s,
        ended_at=now,
        reused=progress.reused,
        rows_per_s=progress.rows_per_s,
        compute_s=device_s,
        left_out={},
        beside=beside,
    )
    # Nobody is to hear of the folder that it is made in.
    options = replace(options, out=Path(options.out.name))
    summary = sum_up(options, origin, ledger, folder, findings, answered)
    assert summary.report is not None
    return (folder / summary.report.name).read_bytes()
