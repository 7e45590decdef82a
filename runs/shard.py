"""A shard: the rows of one part of the source, answered as `wherry annotate` does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from ..client.annotate.formats import OutputLayout
from ..client.annotate.in_flight import JobsInFlight
from ..client.annotate.job_size import JobSize
from ..client.annotate.ledger import Ledger
from ..client.annotate.output import Findings
from ..client.annotate.pieces import write_piece
from ..client.annotate.prepared import PreparedRun, sizes
from ..client.annotate.run import AnnotateRun
from ..client.annotate.segments import rows_of
from ..client.annotate.sources.base import Source, SourcePart
from ..client.annotate.sources.parts import Part
from ..jobs.call import Queue
from ..jobs.run_blobs import pictures_key, quality_key, shard_key, sheet_key
from ..jobs.run_quality import QUALITY, REPORT, SEEN, quality_of_shard
from ..jobs.run_records import RunOutput, Shard
from ..jobs.run_steps import finish_shard
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import InvalidRequest, Unavailable
from ..tasks.annotations.fits import text_field
from ..tasks.annotations.formats import BY_NAME
from .asked import asked_of, joins, options_of
from .device_meter import DeviceMeter
from .earlier import EarlierAnswers, EarlierRuns, beginnings_of
from .feeds import Feeds, flow_of
from .fleet import RunClient
from .hold import StepCanceled, StepHold, StepLost, StepPaused
from .leftovers import Leftovers
from .parts_out import PartOfOutput
from .quality import sample_report, seen_in_shard
from .segments import Segments
from .served import Served
from .settings import RunSettings
from .shard_files import FILES, shard_files
from .sheet import Sheet, SheetRows
from .sources import places_of, run_place
from .stored_pieces import put_piece


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
        earlier: EarlierRuns,
        feeds: Feeds,
    ) -> None:
        shard = hold.step.shard
        assert shard is not None
        self._shard: Shard = shard
        self._hold, self._client, self._queue, self._jobs = hold, client, queue, jobs
        self._store, self._settings = store, settings
        self._leftovers = Leftovers(hold.step, queue, jobs, store)
        self._earlier, self._feeds = earlier, feeds

    def run(self, folder: Path, shards: int) -> None:
        """Answer every row, and put all that is known of them into the store.

        Raises StepEnded, Unavailable; what was answered by then is in the store.
        """
        spec, plan = self._hold.step.spec, self._hold.step.plan
        self._folder, self._began_at = folder, time.monotonic()
        places = places_of(self._hold.step, self._jobs)
        place = run_place(places, self._queue, self._store, self._jobs)
        asked = asked_of(
            self._client, spec, options_of(spec, folder, plan), plan, place, heed=self._hold.check
        )
        with (
            Ledger(folder / "ledger", scratch=True) as ledger,
            SheetRows(
                ledger,
                asked.origin.task,
                shards,
                folder,
                self._shard.first,
                see_all=spec.near_duplicates,
            ) as rows,
        ):
            ledger.begin(reuse=True)
            self._served = Served(self._queue, self._jobs, spec.model, asked.origin.version)
            meter = DeviceMeter(self._served, self._shard.device_ms)
            segments = Segments(
                self._hold, ledger, self._store, self._leftovers, self._settings, meter
            )
            segments.resume()
            flow = flow_of(spec.model, asked.origin.version, spec.tenant, spec.priority)
            run = self._annotating(asked, ledger, segments, rows, flow)
            # Who reads earlier answers first, which may take minutes, takes nobody's room.
            with self._reusing(run, segments), self._feeds.feeding(flow):
                self._answer(run, segments)
            meter.look(run.progress.done, now=True)
            self._finish(asked, ledger, segments, run, rows)

    def _annotating(
        self, asked: PreparedRun, ledger: Ledger, segments: Segments, rows: SheetRows, flow: str
    ) -> AnnotateRun:
        step, origin, served = self._hold.step, asked.origin, self._served
        size = sizes(self._client, origin, served.workers())
        job_size = JobSize(served.work_done, size.rows, size.most_rows)
        sharers = partial(self._feeds.sharers, flow)
        return AnnotateRun(
            self._client,
            self._source(asked),
            origin,
            ledger,
            size.rows,
            JobsInFlight(size.workers, job_size, count=served.workers, sharers=sharers),
            job_size=job_size,
            sampler=rows,
            # An export may be one that writes it, whatever the run's own format.
            text_field=text_field(origin.task),
            priority=step.spec.priority,
            job_prefix=_job_prefix(step.run_id, self._shard),
            settled=segments.settle,
        )

    def _source(self, asked: PreparedRun) -> Source:
        """The shard's rows: a stretch of the source, or files that were found new in it."""
        if FILES in self._shard.part:
            run_id = self._hold.step.run_id
            return asked.source.listed(lambda: shard_files(self._store, run_id, self._shard))
        return SourcePart(asked.source, Part.of(self._shard.part))

    @contextmanager
    def _reusing(self, run: AnnotateRun, segments: Segments) -> Iterator[None]:
        """Let a shard find the answers that earlier runs have of its rows."""
        step, plan, hold = self._hold.step, self._hold.step.plan, self._hold
        assert plan is not None
        index = self._earlier.index(step.run_id, plan, self._folder.parent, hold.check)
        if index is None:
            yield
            return
        answers = EarlierAnswers(run.ledger, self._earlier, index, self._folder / "earlier")

        def look(keys: list[bytes]) -> None:
            # Where no row is computed nobody else looks for a while.
            hold.check()
            segments.look(run.progress)
            answers.look(keys)

        run.earlier, segments.earlier = look, answers
        with closing(answers):
            yield

    def _answer(self, run: AnnotateRun, segments: Segments) -> None:
        self._hold.counts = lambda: segments.counts(run.progress)
        # At once: whoever waits for an answer of theirs hears nothing else for a while.
        self._hold.on_cancel = lambda: self._leftovers.cancel(run.under_way())
        try:
            for progress in run.run():
                self._hold.check()
                segments.look(progress)
            # Whoever has to leave the shard while its output is written leaves no answer behind.
            segments.store(run.progress)
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
        # Who writes many rows comes on, too.
        self._hold.counts = lambda: segments.counts(run.progress, written=sheet.rows)
        findings, piece = self._written(asked, ledger, sheet)
        self._refuse_other_rows(findings.rows)
        told = self._told(asked, ledger, findings, run, seen)
        for kind, body in told.items():
            self._store.put(quality_key(step.run_id, shard.number, name, kind), body)
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
                "done": findings.rows - findings.failed - counts.duplicates - counts.reused,
                "in_flight": 0,
                "warned": findings.warned,
                "sheet": name,
                "rows_blob": name,
                "keys_blob": name,
                "piece": piece,
                "has_pictures": bool(seen.placed),
                "told": " ".join(told),
                "ended_at_ms": int(time.time() * 1000),
            }
        )
        if step.spec.follow and step.spec.out:
            self._hold.save()  # whoever lost the step places nothing
            suffix = BY_NAME[step.plan.format].suffix if step.plan else ""
            part = PartOfOutput(step.spec, shard.number, suffix)
            part.write(
                ledger, asked.origin, asked.writer, shard.first, self._folder, self._hold.check
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
        if not joins(asked) or ledger.has_frames():
            return sheet.add_all(ledger), None
        layout = OutputLayout(split=step.spec.split, media_prefix=step.spec.media_prefix)
        piece, findings = write_piece(
            ledger, asked.origin, asked.writer, self._folder, self._shard.first, sheet.add, layout
        )
        key = shard_key(step.run_id, number, "piece", self._hold.attempt)
        return findings, put_piece(self._store, key, piece)

    def _told(
        self,
        asked: PreparedRun,
        ledger: Ledger,
        findings: Findings,
        run: AnnotateRun,
        rows: SheetRows,
    ) -> dict[str, bytes]:
        """What is told of the shard beside its answers, by kind."""
        spec, first = self._hold.step.spec, self._shard.first
        told = {QUALITY: quality_of_shard(findings.stretches, findings.reasons)}
        if len(rows.seen):
            told[SEEN] = bytes(rows.seen)
        if spec.sample and not self._shard.number:  # the run may be held behind it
            told[REPORT] = sample_report(
                options_of(spec, self._folder, self._hold.step.plan),
                asked.origin,
                ledger,
                findings,
                run.progress,
                seen_in_shard(rows.seen, ledger, first),
                self._folder,
                took_s=time.monotonic() - self._began_at,
                device_s=self._shard.device_ms / 1000,
            )
        return told

    def _blobs(
        self, ledger: Ledger, sheet: Sheet, seen: SheetRows, name: str
    ) -> Iterator[tuple[str, bytes]]:
        run_id, number = self._hold.step.run_id, self._shard.number
        if seen.pictures:
            yield pictures_key(run_id, number, name), bytes(seen.pictures)
        yield sheet_key(run_id, number, name), sheet.body
        yield sheet_key(run_id, number, name) + ".index", sheet.index
        yield shard_key(run_id, number, "rows", name), rows_of(ledger)
        yield shard_key(run_id, number, "keys", name), beginnings_of(ledger)

    def _refuse_other_rows(self, rows: int) -> None:
        """Raise InvalidRequest where a table has other rows than it was cut for: all would move."""
        planned = self._shard.planned
        if self._shard.part.get("at") and planned is not None and rows != planned:
            raise InvalidRequest(
                f"the source has changed, or cannot be read to its end: {planned} rows were to"
                f" follow row {self._shard.first}, and {rows} did"
            )


def _job_prefix(run_id: str, shard: Shard) -> str:
    again = f"{shard.retried}r-" if shard.retried else ""
    return f"{run_id}-{shard.number}-{again}"
