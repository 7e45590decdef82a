"""From what a run was asked to what annotating needs, the same in each of its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ..client.annotate import Columns, Options
from ..client.annotate.fleet import Fleet
from ..client.annotate.laid_out import NO_IMAGES
from ..client.annotate.prepared import PreparedRun, prepared
from ..client.annotate.sources.choose import PlaceOf
from ..client.annotate.sources.remote import is_url
from ..jobs.run_records import RunPlan
from ..jobs.run_spec import RunSpec
from ..protocol.errors import InvalidRequest
from ..tasks.annotations.formats import BY_NAME

#: What the output is called that is kept in the store; its format says how its name ends.
_NAME = "annotations"
#: The format of a run that names none, and no place whose name would say.
_FORMAT = "jsonl"


def options_of(spec: RunSpec, folder: Path, plan: RunPlan | None = None) -> Options:
    """What `wherry annotate` would be asked. `folder` is where the output is made first, unless its
    place is one of this machine's.
    """
    format_name = plan.format if plan else spec.format or ("" if spec.out else _FORMAT)
    return Options(
        source=spec.source,
        query=spec.query,
        order_by=spec.order_by,
        pinned=plan.source if plan else "",
        model=spec.model,
        out=_out(spec, folder, format_name),
        task=spec.task,
        format=format_name,
        parameters=spec.parameters,
        inputs=spec.inputs,
        columns=Columns(id=spec.columns.id, fields=spec.columns.fields),
        every=spec.every,
        frames=spec.frames,
        overwrite=spec.overwrite,
        images=spec.images,
        split=spec.split,
        media_prefix=spec.media_prefix,
        follow=spec.follow,
    )


def is_local(spec: RunSpec) -> bool:
    """Whether its output is made where it lies, on this machine's disks, where others see it too.

    That of a run which follows its source is put there in parts, and as a whole in the end.
    """
    return bool(spec.out) and not (is_url(spec.out) or spec.follow)


def asked_of(
    fleet: Fleet,
    spec: RunSpec,
    options: Options,
    plan: RunPlan | None,
    place: PlaceOf,
    *,
    heed: Callable[[], None],
) -> PreparedRun:
    """Check what is asked, as `wherry annotate` does. Raises InvalidRequest.

    What `heed` raises ends waiting for the source's rows.
    """
    asked = prepared(fleet, options, place, out_is_kept=is_local(spec))
    found = asked.origin.version
    if spec.version and found != spec.version:
        raise InvalidRequest(f"model {spec.model!r} is served in version {found}")
    if plan and found != plan.version:
        raise InvalidRequest(
            f"model {spec.model!r} is served in version {found} now: this run began with"
            f" {plan.version}, and one output is of one version"
        )
    asked.source.heeds(heed)
    return asked


def joins(asked: PreparedRun) -> bool:
    """Whether shards write the output, each its piece, to be joined.

    Pictures are in none: they are read from the source when all is known.
    """
    return asked.writer.joins and asked.images == NO_IMAGES


def _out(spec: RunSpec, folder: Path, format_name: str) -> Path:
    if not spec.out:
        return folder / f"{_NAME}{BY_NAME[format_name].suffix}"
    if is_url(spec.out) or spec.follow:
        return folder / PurePosixPath(spec.out.rstrip("/")).name
    return Path(spec.out).expanduser()
