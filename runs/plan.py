"""The first step: what a run is of, and where its source is cut."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from ..client.annotate.formats import format_of
from ..client.annotate.prepared import PreparedRun
from ..client.annotate.sources.choose import PlaceOf
from ..client.annotate.sources.remote import is_url
from ..client.annotate.sources.url_overlap import refuse_url_overlap
from ..client.annotate.sources.watched import refuse_unwatched
from ..jobs.run_records import RunPlan, Shard
from ..jobs.run_spec import RunSpec
from ..protocol.errors import InvalidRequest
from ..protocol.file_words import reason_of
from .asked import asked_of, is_local, options_of
from .earlier import origin_text
from .fleet import RunClient
from .hold import StepHold
from .parts_out import head_of, refuse_unfollowed
from .remote_place import BESIDE, refuse_taken, try_place
from .settings import RunSettings


def plan_run(
    hold: StepHold, client: RunClient, settings: RunSettings, folder: Path, place: PlaceOf
) -> tuple[RunPlan, list[Shard]]:
    """List the source once. Raises InvalidRequest for what `wherry annotate` would refuse."""
    spec = hold.step.spec
    options = options_of(spec, folder)
    asked = asked_of(client, spec, options, None, place, heed=hold.check)
    if is_local(spec):
        asked.placing.look()  # before anything is computed
        _try_place(options.out)
    elif spec.out:
        beside = [f"{spec.out}.{suffix}" for suffix in BESIDE]
        refuse_url_overlap(spec.source, spec.out, beside, is_folder=asked.writer.is_folder)
        if not spec.overwrite:
            refuse_taken(spec.out)
        if is_url(spec.out):
            try_place(spec.out)
        else:
            _try_place(Path(spec.out))
    format_name = options.format or format_of(options.out, asked.origin.task)
    if spec.follow:
        refuse_unwatched(spec.source, place)
        refuse_unfollowed(spec, format_name)
    shards = [] if spec.follow else _shards(hold, asked, settings)
    return RunPlan(
        version=asked.origin.version,
        task=asked.origin.task.name,
        format=format_name,
        is_folder=asked.writer.is_folder,
        source=asked.source.pinned,
        left_out=dict(asked.source.left_out),
        head=head_of(asked, folder) if spec.follow else "",
        origin=origin_text(asked.origin),
    ), shards


def _try_place(out: Path) -> None:
    """Raise InvalidRequest where nothing can be written beside an output: a night would be lost."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InvalidRequest(f"out {str(out)!r} cannot be written: {reason_of(error)}") from None


def _shards(hold: StepHold, asked: PreparedRun, settings: RunSettings) -> list[Shard]:
    spec, shards, first = hold.step.spec, list[Shard](), 0
    for part in asked.source.parts(_rows(spec, asked, settings), spec.sample):
        hold.check()
        shards.append(
            Shard(number=len(shards), part=part.as_json(), planned=part.rows, first=first)
        )
        first += part.units if part.rows is None else part.rows
    if not shards:
        raise InvalidRequest(f"{spec.source}: has no rows")
    return shards


def _rows(spec: RunSpec, asked: PreparedRun, settings: RunSettings) -> int:
    has_files = any(each.is_file for each in asked.origin.task.inputs)
    usual = settings.run_shard_files if has_files else settings.run_shard_rows
    return spec.shard_rows or usual
