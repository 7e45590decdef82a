"""`Client.annotate`: a data set in, annotations out, however often it is broken off."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from ...protocol.errors import WherryError
from ...tasks.annotations.drift import drift_notes, drift_view, drifts
from ...tasks.annotations.fits import lists_guesses, text_field
from ...tasks.annotations.stretches import stretches_view
from .beside import NOTHING_BESIDE, Beside, SeenRows, watcher
from .compute import compute_s
from .errors_file import failed_ids
from .fleet import Fleet
from .formats import OutputLayout
from .in_flight import JobsInFlight
from .job_size import JobSize, told_work
from .laid_out import NO_IMAGES
from .ledger import Ledger
from .output import Findings, write_output
from .pictures import Pictures
from .places import ERRORS, PAGE, PICTURES, REPORT, beside
from .prepared import Options, PreparedRun, prepared, serving_workers, sizes
from .report import Sampler, samples, write_report
from .rows import Origin
from .run import AnnotateRun, Progress, RowWatcher


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    out: Path
    errors: Path | None
    rows: int
    failed: int
    #: Rows that an earlier run had finished, or that are equal to another of this one.
    reused: int
    #: Files of the source that are no rows, for their kind: suffix -> how many.
    left_out: Mapping[str, int]
    seconds: float
    rows_per_s: float
    findings: Findings
    stages: Mapping[str, float]
    #: What devices computed for this model meanwhile, for everybody; None where nobody knows.
    compute_seconds: float | None
    #: The page about the run; None without one.
    report: Path | None
    origin: Origin
    beside: Beside = NOTHING_BESIDE


#: Told where a run stands, after each job.
Observer = Callable[[Progress], None]


def annotate(client: Fleet, options: Options, observer: Observer = lambda _: None) -> Summary:
    """Annotate a data set. Started again after anything, it goes on where it was.

    Raises what the source, the format and the server refuse; TooManyErrors.
    """
    started = time.monotonic()
    asked = prepared(client, options)
    source = asked.source
    with asked.placing as places:
        ledger = places.ledger
        if options.retry_errors:
            ledger.forget_failures(failed_ids(options.retry_errors))
        ledger.begin(reuse=options.reuse)
        with places.half() as half:
            layout = layout_of(options, asked, half)
            sampler = Sampler(ledger, asked.origin.task) if options.report else None
            watching = watcher(asked.origin.task, sampler, sees=options.near_duplicates)
            run = _run(client, options, asked, ledger, layout, watching)
            computed = _computed(client, options.model)
            for progress in run.run():
                observer(progress)
            answered = AnsweringTimes(
                started_at=started,
                ended_at=time.monotonic(),
                reused=run.progress.reused,
                rows_per_s=run.progress.rows_per_s,
                compute_s=_since(computed, _computed(client, options.model)),
                left_out=dict(source.left_out),
                beside=watching.found(ledger) if isinstance(watching, SeenRows) else NOTHING_BESIDE,
            )
            summary = write_half(options, asked, ledger, half, layout, answered)
            places.place(half)
        ledger.finish()
    return summary


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringTimes:
    """What it took to answer all rows, by the clock that only goes on."""

    started_at: float
    ended_at: float
    reused: int
    rows_per_s: float
    compute_s: float | None
    left_out: Mapping[str, int]
    beside: Beside = NOTHING_BESIDE


def write_half(
    options: Options,
    asked: PreparedRun,
    ledger: Ledger,
    half: Path,
    layout: OutputLayout,
    answered: AnsweringTimes,
) -> Summary:
    """Write what a ledger has of all rows, and what is to be said of them, to a folder."""
    out, errors = options.out, beside(options.out, ERRORS)
    origin = replace(asked.origin, has_frames=ledger.has_frames())
    findings = write_output(
        ledger, origin, asked.writer, half / out.name, half / errors.name, layout
    )
    if layout.pictures:
        layout.pictures.close()
    return sum_up(options, origin, ledger, half, findings, answered)


def sum_up(
    options: Options,
    origin: Origin,
    ledger: Ledger,
    half: Path,
    findings: Findings,
    answered: AnsweringTimes,
) -> Summary:
    """Write what is to be said of an output, whose files are in a folder."""
    out, errors, ended = options.out, beside(options.out, ERRORS), time.monotonic()
    findings.notes += drift_notes(drifts(findings.stretches))
    summary = Summary(
        out=out,
        errors=errors if findings.failed else None,
        rows=findings.rows,
        failed=findings.failed,
        reused=answered.reused,
        left_out=answered.left_out,
        seconds=ended - answered.started_at,
        rows_per_s=answered.rows_per_s,
        findings=findings,
        stages={
            "answering": answered.ended_at - answered.started_at,
            "writing": ended - answered.ended_at,
        },
        compute_seconds=answered.compute_s,
        report=beside(out, PAGE) if options.report else None,
        origin=origin,
        beside=answered.beside,
    )
    write_summary(summary, ledger, half)
    return summary


def layout_of(options: Options, asked: PreparedRun, half: Path) -> OutputLayout:
    """What the writer is told; pictures wait in a folder of their own."""
    waiting = half / beside(options.out, PICTURES).name
    is_wanted = asked.images != NO_IMAGES
    return OutputLayout(
        pictures=Pictures(waiting, link=asked.images == "link") if is_wanted else None,
        split=options.split,
        media_prefix=options.media_prefix,
    )


def _run(
    client: Fleet,
    options: Options,
    asked: PreparedRun,
    ledger: Ledger,
    layout: OutputLayout,
    watching: RowWatcher | None,
) -> AnnotateRun:
    origin, source = asked.origin, asked.source
    size = sizes(client, origin)
    job_size = JobSize(told_work(client, origin.model), size.rows, size.most_rows)
    return AnnotateRun(
        client,
        source,
        origin,
        ledger,
        size.rows,
        JobsInFlight(size.workers, job_size, count=lambda: serving_workers(client, origin.model)),
        job_size=job_size,
        max_errors=options.max_errors,
        sampler=watching,
        text_field=text_field(origin.task) if asked.writer.writes_text else "",
        pictures=layout.pictures,
    )


def _computed(client: Fleet, model: str) -> float | None:
    """Seconds that the model has computed so far; None where the server does not say."""
    try:
        return compute_s(client, model)
    except WherryError:
        return None


def _since(before: float | None, after: float | None) -> float | None:
    """Seconds between; None where they were not known, or Redis began anew."""
    if before is None or after is None or after < before:
        return None
    return after - before


def view(summary: Summary) -> dict[str, Any]:
    """A summary as JSON."""
    stretches = summary.findings.stretches
    return {
        "out": str(summary.out),
        "errors": str(summary.errors) if summary.errors else None,
        "report": str(summary.report) if summary.report else None,
        "source": summary.origin.source,
        "rows": summary.rows,
        "answered": summary.rows - summary.failed,
        "failed": summary.failed,
        "reused": summary.reused,
        "left_out": dict(summary.left_out),
        "seconds": round(summary.seconds, 3),
        "rows_per_s": round(summary.rows_per_s, 3),
        "model": summary.origin.model,
        "version": summary.origin.version,
        "task": summary.origin.task.name,
        "parameters": dict(summary.origin.parameters),
        "labels": dict(summary.findings.labels.most_common()),
        "first_labels": lists_guesses(summary.origin.task.output),
        "score_histogram": summary.findings.scores,
        "error_types": dict(summary.findings.error_types),
        "failures": summary.findings.reasons.as_json(),
        "drift": drift_view(drifts(stretches)),
        "stretches": stretches_view(stretches),
        "near_duplicates": summary.beside.near_duplicates,
        "compared": summary.beside.compared,
        "notes": summary.findings.notes,
        "warned": summary.findings.warned,
        "warnings": summary.findings.warnings,
        "stages_s": {name: round(seconds, 3) for name, seconds in summary.stages.items()},
        "compute_seconds": _rounded(summary.compute_seconds),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def write_summary(summary: Summary, ledger: Ledger, folder: Path) -> None:
    """Write the summary to a folder: as JSON, and as a page where one is wanted."""
    document = view(summary)
    path = folder / beside(summary.out, REPORT).name
    path.write_bytes(to_json(document, indent=2) + b"\n")
    if summary.report:
        shown = samples(ledger, summary.origin.task)
        write_report(folder / summary.report.name, document, shown, summary.beside.pictures)
