"""A shard: the rows of one part of the source, answered as `wherry annotate` does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ..client.annotate.job_size import JobSize
from ..client.annotate.ledger import Ledger
from ..client.annotate.output import Findings
from ..client.annotate.pieces import write_piece
from ..client.annotate.prepared import PreparedRun, sizes
from ..client.annotate.run import AnnotateRun
from ..client.annotate.segments import rows_of, sampled_of
from ..client.annotate.sources.base import SourcePart
from ..client.annotate.sources.parts import Part
from ..jobs.call import Queue
from ..jobs.run_blobs import pictures_key, put_output, shard_key, sheet_key
from ..jobs.run_records import RunOutput, Shard
from ..jobs.run_steps import finish_shard
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import InvalidRequest, Unavailable
from ..tasks.annotations.fits import text_field
from .asked import asked_of, joins, options_of
from .device_meter import DeviceMeter
from .fleet import RunClient
from .hold import StepCanceled, StepHold, StepLost, StepPaused
from .leftovers import Leftovers
from .segments import Segments
from .served import Served
from .settings import RunSettings
from .sheet import Sheet, SheetRows
from .sources import run_place


class ShardRun:
    """One shard under way in this process."""

    def __init__(
        self,
        hold: StepHold,
        client: RunClient,
        queue: Queue,
        jobs: JobsSettings,
        store: Store,
        settings: RunSettings,
    ) -> None:
        shard = hold.step.shard
        assert shard is not None
        self._shard: Shard = shard
        self._hold, self._client, self._queue, self._jobs = hold, client, queue, jobs
        self._store, self._settings = store, settings
        self._leftovers = Leftovers(hold.step, queue, jobs, store)

    def run(self, folder: Path, shards: int) -> None:
        """Answer every row, and put all that is known of them into the store.

        Raises StepEnded, Unavailable; what was answered by then is in the store.
        """
        spec, plan = self._hold.step.spec, self._hold.step.plan
        self._folder = folder
        place = run_place(self._queue, self._store, self._jobs)
        asked = asked_of(self._client, spec, options_of(spec, folder, plan), plan, place)
        with (
            Ledger(folder / "ledger", scratch=True) as ledger,
            SheetRows(ledger, asked.origin.task, shards, folder) as rows,
        ):
            ledger.begin(reuse=True)
            self._served = Served(self._queue, self._jobs, spec.model, asked.origin.version)
            meter = DeviceMeter(self._served, self._shard.device_ms)
            segments = Segments(
                self._hold, ledger, self._store, self._leftovers, self._settings, meter
            )
            segments.resume()
            run = self._annotating(asked, ledger, segments, rows)
            self._answer(run, segments)
            meter.look(run.progress.done, now=True)
            self._finish(asked, ledger, segments, run, rows)

    def _annotating(
        self, asked: PreparedRun, ledger: Ledger, segments: Segments, rows: SheetRows
    ) -> AnnotateRun:
        step, origin = self._hold.step, asked.origin
        size = sizes(self._client, origin, self._served.workers())
        return AnnotateRun(
            self._client,
            SourcePart(asked.source, Part.of(self._shard.part)),
            origin,
            ledger,
            size.rows,
            size.in_flight,
            job_size=JobSize(self._served.work_done, size.rows, size.most_rows),
            sampler=rows,
            # An export may be one that writes it, whatever the run's own format.
            text_field=text_field(origin.task),
            priority=step.spec.priority,
            job_prefix=f"{step.run_id}-{self._shard.number}-",
            settled=segments.settle,
        )

    def _answer(self, run: AnnotateRun, segments: Segments) -> None:
        self._hold.counts = lambda: segments.counts(run.progress)
        # At once: whoever waits for an answer of theirs hears nothing else for a while.
        self._hold.on_cancel = lambda: self._leftovers.cancel(run.under_way())
        try:
            for progress in run.run():
                self._hold.check()
                segments.look(progress)
        except StepCanceled:
            self._leftovers.cancel(run.under_way())
            raise
        except (StepPaused, Unavailable):
            segments.store(run.progress)
            raise
        finally:
            self._hold.counts = None

    def _finish(
        self,
        asked: PreparedRun,
        ledger: Ledger,
        segments: Segments,
        run: AnnotateRun,
        seen: SheetRows,
    ) -> None:
        shard, step, name = self._shard, self._hold.step, self._hold.attempt
        sheet = Sheet(asked.origin, seen, shard.first)
        findings, piece = self._written(asked, ledger, sheet)
        self._refuse_other_rows(findings.rows)
        for key, body in self._blobs(ledger, sheet, seen, name):
            self._hold.check()
            self._store.put(key, body)
        counts = segments.counts(run.progress)
        done = shard.model_copy(
            update={
                **counts.model_dump(),
                "rows": findings.rows,
                "read": findings.rows,
                "failed": findings.failed,
                "done": findings.rows - findings.failed - counts.duplicates,
                "in_flight": 0,
                "warned": findings.warned,
                "sheet": name,
                "rows_blob": name,
                "piece": piece,
                "has_pictures": bool(seen.placed),
                "ended_at_ms": int(time.time() * 1000),
            }
        )
        accepted = self._queue.run(
            finish_shard(
                step,
                done,
                self._jobs,
                segment=segments.put(),
                labels=dict(findings.labels),
                scores=findings.scores,
                error_types=dict(findings.error_types),
            )
        )
        if not accepted:
            raise StepLost
        segments.forget()

    def _written(
        self, asked: PreparedRun, ledger: Ledger, sheet: Sheet
    ) -> tuple[Findings, RunOutput | None]:
        """Make the sheet; and with it the shard's part of the output, where there is such."""
        step, number = self._hold.step, self._shard.number
        if not joins(step.spec, asked) or ledger.has_frames():
            return sheet.add_all(ledger), None
        piece, findings = write_piece(
            ledger, asked.origin, asked.writer, self._folder, self._shard.first, sheet.add
        )
        key = shard_key(step.run_id, number, "piece", self._hold.attempt)
        with ExitStack() as stack:
            files: list[tuple[str, BinaryIO]] = [
                (name, stack.enter_context(path.open("rb"))) for name, path in piece.files
            ]
            files.append(("sampled", BytesIO(sampled_of(ledger))))
            return findings, put_output(self._store, key, files)

    def _blobs(
        self, ledger: Ledger, sheet: Sheet, seen: SheetRows, name: str
    ) -> Iterator[tuple[str, bytes]]:
        run_id, number = self._hold.step.run_id, self._shard.number
        if seen.pictures:
            yield pictures_key(run_id, number, name), bytes(seen.pictures)
        yield sheet_key(run_id, number, name), sheet.body
        yield sheet_key(run_id, number, name) + ".index", sheet.index
        yield shard_key(run_id, number, "rows", name), rows_of(ledger)

    def _refuse_other_rows(self, rows: int) -> None:
        """Raise InvalidRequest where a table has other rows than it was cut for: all would move."""
        planned = self._shard.planned
        if self._shard.part.get("at") and planned is not None and rows != planned:
            raise InvalidRequest(
                f"the source has changed, or cannot be read to its end: {planned} rows were to"
                f" follow row {self._shard.first}, and {rows} did"
            )
