"""`Client.annotate`: a data set in, annotations out, however often it is broken off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from ...protocol.errors import InvalidRequest, NotFound, WherryError
from ...tasks.base import Task
from ...tasks.registry import get_task, task_names
from ..client import Client
from ..operations import model_path
from .compute import compute_s
from .constants import SharedInputs, rows_among, shared_by_all
from .formats import Writer, format_of, writer_of
from .ledger import Ledger
from .output import Findings, write_output
from .places import ERRORS, PAGE, REPORT, all_paths, beside, named
from .placing import Placing
from .report import Sampler, samples, write_report
from .rows import Origin
from .run import AnnotateRun, Progress
from .sources import Columns, Source, open_source, refuse_overlap
from .sources.choose import place_of
from .sources.remote import is_url

#: Jobs in flight for each live worker: what it runs, what it has claimed, what waits.
_JOBS_PER_WORKER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to annotate, with what, and where to put it."""

    source: str
    model: str
    out: Path
    #: "" for what the name of `out` says.
    format: str = ""
    #: The task's parameters.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: What all rows share of the task's inputs, by the input's name: `{"text": "What is it?"}`.
    inputs: Mapping[str, Any] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    #: Finished rows of earlier runs count; else a finished run is started afresh.
    reuse: bool = True
    #: An errors file of the last run, whose rows are tried again.
    retry_errors: Path | None = None
    max_errors: int | None = None
    #: Whether to write a page about the run too.
    report: bool = True
    #: Whether files at `out` may be replaced that no run with these options wrote.
    overwrite: bool = False


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


#: Told where a run stands, after each job.
Observer = Callable[[Progress], None]


def annotate(client: Client, options: Options, observer: Observer = lambda _: None) -> Summary:
    """Annotate a data set. Started again after anything, it goes on where it was.

    Raises what the source, the format and the server refuse; TooManyErrors.
    """
    started = time.monotonic()
    origin = origin_of(client, options)
    writer, places = _output(options, origin)
    source = source_of(options, origin)
    with places:
        ledger = places.ledger
        if options.retry_errors:
            ledger.forget_failures(_ids(options.retry_errors))
        ledger.begin(reuse=options.reuse)
        run = _run(client, options, origin, source, ledger)
        computed = _computed(client, options.model)
        for progress in run.run():
            observer(progress)
        ran, rows_per_s = time.monotonic(), run.progress.rows_per_s
        out, errors = options.out, beside(options.out, ERRORS)
        with places.half() as half:
            findings = write_output(ledger, origin, writer, half / out.name, half / errors.name)
            ended = time.monotonic()
            summary = Summary(
                out=out,
                errors=errors if findings.failed else None,
                rows=findings.rows,
                failed=findings.failed,
                reused=run.progress.reused,
                left_out=dict(source.left_out),
                seconds=ended - started,
                rows_per_s=rows_per_s,
                findings=findings,
                stages={"answering": ran - started, "writing": ended - ran},
                compute_seconds=_since(computed, _computed(client, options.model)),
                report=beside(out, PAGE) if options.report else None,
                origin=origin,
            )
            write_summary(summary, ledger, half)
            places.place(half)
        ledger.finish()
    return summary


def _output(options: Options, origin: Origin) -> tuple[type[Writer], Placing]:
    """What writes the output, and where. Raises UsageError for what cannot work."""
    out = named(options.out)
    format_name = options.format or format_of(out, origin.task)
    writer = writer_of(format_name, origin.task)
    refuse_overlap(options.source, out, all_paths(out)[1:], is_folder=writer.is_folder)
    columns = {"id": options.columns.id, **options.columns.fields}
    files, path = place_of(options.source)
    made = {
        "source": files.shown(path if is_url(options.source) else str(Path(path).absolute())),
        "model": origin.model,
        "task": origin.task.name,
        "parameters": dict(origin.parameters),
        "columns": {name: column for name, column in columns.items() if column},
        "format": format_name,
    }
    placing = Placing(out, made, is_folder=writer.is_folder, overwrite=options.overwrite)
    return writer, placing


def _run(
    client: Client, options: Options, origin: Origin, source: Source, ledger: Ledger
) -> AnnotateRun:
    rows_per_job, jobs = sizes(client, origin)
    return AnnotateRun(
        client,
        source,
        origin,
        ledger,
        rows_per_job,
        jobs,
        max_errors=options.max_errors,
        sampler=Sampler(ledger, origin.task) if options.report else None,
    )


def _computed(client: Client, model: str) -> float | None:
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


def _ids(errors: Path) -> Iterator[str]:
    """The ids of an errors file. Raises InvalidRequest that names the line."""
    with errors.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield str(json.loads(line)["id"])
            except (ValueError, KeyError, TypeError):
                raise InvalidRequest(f"{errors}: line {number} is no error of a row") from None


def origin_of(client: Client, options: Options) -> Origin:
    """The model as the server declares it, with these parameters. Raises UsageError."""
    metadata = _metadata(client, options.model)
    task = _task(options.model, metadata)
    return Origin(
        task=task,
        model=options.model,
        version=str(metadata["versions"][-1]),
        parameters=shared_by_all(task, options.parameters, options.inputs),
        source=options.source,
    )


def source_of(options: Options, origin: Origin) -> Source:
    """The rows to annotate, with the inputs that all of them share. Raises InvalidRequest."""
    task = origin.task
    constants = rows_among(task, origin.parameters)
    source = open_source(options.source, task, replace(options.columns, constants=constants))
    return SharedInputs(source) if constants else source


def _metadata(client: Client, model: str) -> dict[str, Any]:
    try:
        return client.get(model_path(model))
    except NotFound as error:
        raise InvalidRequest(f"model: {error.message}") from None


def _task(model: str, metadata: Mapping[str, Any]) -> Task:
    name = str(metadata.get("parameters", {}).get("task", ""))
    if name not in task_names():
        raise WherryError(f"model {model!r} has no task that this client knows")
    return get_task(name)


def sizes(client: Client, origin: Origin) -> tuple[int, int]:
    """Rows a job, and jobs in flight."""
    rows = _metadata(client, origin.model)["parameters"]["max_batch_size"]
    workers = client.get("/v2/queues")["workers"]
    serving = sum(w["alive"] and origin.model in w["models"] for w in workers)
    return max(1, int(rows)), _JOBS_PER_WORKER * max(1, serving)


def view(summary: Summary) -> dict[str, Any]:
    """A summary as JSON."""
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
        "score_histogram": summary.findings.scores,
        "error_types": dict(summary.findings.error_types),
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
        write_report(folder / summary.report.name, document, samples(ledger, summary.origin.task))
