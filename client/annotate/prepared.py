"""From what is asked to what a run needs; what can be refused before a row is sent is, here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ...protocol.errors import InvalidRequest, NotFound, WherryError
from ...protocol.nearest import meant
from ...tasks.base import Task
from ...tasks.registry import get_task, task_names, task_of
from ..errors import UsageError
from ..operations import model_path
from .constants import SharedInputs, rows_among, shared_by_all
from .errors_file import failed_ids
from .fleet import Fleet
from .formats import Writer, format_of, known_format, writer_of
from .in_flight import JOBS_PER_WORKER
from .laid_out import NO_IMAGES, images_of
from .places import ERRORS, PAGE, REPORT, all_paths, beside, ledger_path, named
from .placing import Placing
from .rows import Origin
from .sources import Columns, Source, open_source, refuse_overlap
from .sources.choose import PlaceOf, outer_place, place_of
from .sources.queries import Query
from .sources.remote import is_url
from .sources.sampling import WHICH_FRAMES, is_one_picture, sampling_of
from .sources.watched import open_watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to annotate, with what, and where to put it."""

    source: str
    model: str
    out: Path
    #: Of a data base: a SELECT of the rows, and a column of unique values that orders them.
    query: str = ""
    order_by: str = ""
    #: The source as another process has found it, `Source.pinned`; "" to look.
    pinned: str = ""
    #: The task that the model must do, by any name that it goes by; "" for whatever it does.
    task: str = ""
    #: "" for what the name of `out` says.
    format: str = ""
    #: The task's parameters.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: What all rows share of the task's inputs, by the input's name: `{"text": "What is it?"}`.
    inputs: Mapping[str, Any] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    #: Seconds from one frame of a film to the next that is a row.
    every: float | None = None
    #: Which frames or pages of a file are rows: `first`, `all`, or every N-th.
    frames: str | int | None = None
    #: Finished rows of earlier runs count; else a finished run is started afresh.
    reuse: bool = True
    #: An errors file of the last run, whose rows are tried again.
    retry_errors: Path | None = None
    max_errors: int | None = None
    #: Whether to write a page about the run too.
    report: bool = True
    #: Whether files at `out` may be replaced that no run with these options wrote.
    overwrite: bool = False
    #: How pictures come to lie beside their annotations: `link`, `copy`, or `none`; "" for `link`
    #: where the format is of no use without them.
    images: str = ""
    #: Parts of the data set beside `train` -> their shares: `{"val": 0.1}`.
    split: Mapping[str, float] = field(default_factory=dict)
    #: What the place of a row's file begins with for Label Studio.
    media_prefix: str = ""
    #: Whether the source is a folder that is watched: of a run, which reads what came by lists.
    follow: bool = False
    #: Whether pictures are looked for that look alike: each is decoded for that.
    near_duplicates: bool = False

    @property
    def samples(self) -> bool:
        """Whether it is said which frames of files are rows."""
        return self.every is not None or self.frames is not None

    @property
    def writes(self) -> tuple[Path, ...]:
        """OUT, and what comes beside it; the errors, which are last, only where rows fail."""
        return (
            self.out,
            beside(self.out, REPORT),
            *([beside(self.out, PAGE)] if self.report else []),
            beside(self.out, ERRORS),
        )


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What a run needs. Nothing has been made yet."""

    origin: Origin
    source: Source
    writer: type[Writer]
    placing: Placing
    #: Of pictures: `link`, `copy`, or `none`.
    images: str = NO_IMAGES


def prepared(
    client: Fleet, options: Options, place: PlaceOf = place_of, *, out_is_kept: bool = True
) -> PreparedRun:
    """Check what is asked: by itself, then against the model, then against what is there.

    `place` finds where the source is. An output that is not kept where it is made may lie anywhere.

    Raises UsageError for what is wrong in itself, InvalidRequest for a model or a source that
    cannot be had.
    """
    out, wanted = named(options.out), _wanted(options.task)
    if options.format:
        known_format(options.format)
    if options.retry_errors:
        _look_at_errors(options.retry_errors, out)
    origin = origin_of(client, options)
    if wanted not in (None, origin.task):
        raise UsageError(f"task {options.task}: model {options.model!r} does {origin.task.name}")
    format_name = options.format or format_of(out, origin.task)
    writer = writer_of(format_name, origin.task)
    if writer.of_films and any(map(is_one_picture, origin.task.inputs)) and not options.samples:
        raise UsageError(
            f"format {format_name}: is of films: name one, and {WHICH_FRAMES}; pictures have others"
        )
    origin = _asking(origin, writer, format_name)
    images = images_of(options, format_name, writer)
    if out_is_kept:
        refuse_overlap(options.source, out, all_paths(out)[1:], is_folder=writer.is_folder)
    source = source_of(options, origin, place)
    placing = Placing(
        out,
        _made(options, origin, format_name, place),
        is_folder=writer.is_folder,
        overwrite=options.overwrite,
        names=writer.names + (writer.picture_names if images != NO_IMAGES else ()),
        source_files=source.files,
    )
    return PreparedRun(origin, source, writer, placing, images)


def _asking(origin: Origin, writer: type[Writer], format_name: str) -> Origin:
    """With the parameters that the format needs. Raises UsageError where others are given."""
    asked = dict(origin.parameters)
    for name, value in writer.asks.items():
        if name in origin.task.input.parameter_names() and asked.setdefault(name, value) != value:
            raise UsageError(
                f"param {name}: {json.dumps(asked[name])}: format {format_name!r} needs "
                f"{json.dumps(value)}"
            )
    return replace(origin, parameters=asked)


def _look_at_errors(errors: Path, out: Path) -> None:
    """Tell now what is wrong with an errors file, or that there is no run that it is of."""
    for _ in failed_ids(errors):
        pass
    if not ledger_path(out).exists():
        raise InvalidRequest(f"{out}: no run has been here whose rows in {errors} could be retried")


def _wanted(task: str) -> Task | None:
    try:
        return task_of(task) if task else None
    except ValueError as error:
        raise UsageError(f"task: {error}{meant(task, task_names())}") from None


def _made(options: Options, origin: Origin, format_name: str, place: PlaceOf) -> dict[str, Any]:
    """What makes the output: another run's answers are not replaced unasked."""
    columns = {"id": options.columns.id, **options.columns.fields}
    return {
        "source": _whole_source(options.source) if place is place_of else options.source,
        "model": origin.model,
        "task": origin.task.name,
        "parameters": dict(origin.parameters),
        "columns": {name: column for name, column in columns.items() if column},
        "frames": sampling_of(origin.task, options.every, options.frames).told,
        "format": format_name,
        **({"query": options.query} if options.query else {}),
        **({"order_by": options.order_by} if options.order_by else {}),
    }


def _whole_source(source: str) -> str:
    """The source, wherever the command is given."""
    files, path = outer_place(source)
    return files.shown(path if is_url(source) else str(Path(path).absolute()))


def origin_of(client: Fleet, options: Options) -> Origin:
    """The model as the server declares it, with these parameters. Raises UsageError."""
    metadata = _metadata(client, options.model)
    task = _task(options.model, metadata)
    return Origin(
        task=task,
        model=options.model,
        version=str(metadata["versions"][-1]),
        parameters=shared_by_all(task, options.parameters, options.inputs),
        source=options.source,
        own=_own_tensors(task, metadata),
    )


def _own_tensors(task: Task, metadata: Mapping[str, Any]) -> frozenset[str]:
    """The inputs that a model declares itself; none where it takes those of its task alone."""
    told = frozenset(str(tensor["name"]) for tensor in metadata.get("inputs", ()))
    return told - {spec.name for spec in task.inputs} if task.of_model else frozenset()


def source_of(options: Options, origin: Origin, place: PlaceOf = place_of) -> Source:
    """The rows to annotate, with the inputs that all of them share. Raises InvalidRequest."""
    task = origin.task
    constants = rows_among(task, origin.parameters)
    columns = replace(options.columns, constants=constants, own=origin.own)
    sampling = sampling_of(task, options.every, options.frames)
    source: Source
    if options.follow:
        source = open_watched(options.source, task, columns, sampling, place)
    else:
        query = Query(options.query, options.order_by)
        named = options.pinned or options.source
        source = open_source(named, task, columns, sampling, place, query)
    return SharedInputs(source) if constants else source


def _metadata(client: Fleet, model: str) -> dict[str, Any]:
    try:
        return client.get(model_path(model))
    except NotFound as error:
        raise InvalidRequest(f"model: {error.message}") from None


def _task(model: str, metadata: Mapping[str, Any]) -> Task:
    name = str(metadata.get("parameters", {}).get("task", ""))
    if name not in task_names():
        raise WherryError(f"model {model!r} has no task that this client knows")
    return get_task(name)


class Sizes(NamedTuple):
    """Rows of a job that one forward takes, workers that serve them, and the most rows of a job."""

    rows: int
    workers: int
    most_rows: int

    @property
    def in_flight(self) -> int:
        """Jobs in flight, where calls take no time to speak of."""
        return JOBS_PER_WORKER * max(1, self.workers)


def sizes(client: Fleet, origin: Origin, serving: int | None = None) -> Sizes:
    """What jobs are to be by what the server says; at most 1 row where it does not say.

    `serving` is how many workers take the model's jobs, where the caller knows.
    """
    told = _metadata(client, origin.model)["parameters"]
    return Sizes(
        rows=max(1, int(told["max_batch_size"])),
        workers=serving_workers(client, origin.model) if serving is None else serving,
        most_rows=int(told.get("max_rows_per_job", 1)),
    )


def serving_workers(client: Fleet, model: str) -> int:
    """How many live workers take a model's jobs."""
    workers = client.get("/v2/queues")["workers"]
    return sum(each["alive"] and model in each["models"] for each in workers)
