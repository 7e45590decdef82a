"""Parts of the output of a run that follows its source: each is whole when it is there.

They lie beside OUT, in OUT.parts, and stay when OUT is written at the run's end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..client.annotate.pieces import ERRORS, ROWS
from ..client.annotate.prepared import PreparedRun
from ..client.annotate.sources import refuse_overlap
from ..client.annotate.sources.remote import is_url
from ..jobs.run_records import RunSpec
from ..protocol.errors import InvalidRequest
from ..tasks.annotations.formats import BY_NAME
from .remote_place import is_taken, upload

#: What follows the name of an output.
_PARTS = ".parts"


def refuse_unfollowed(spec: RunSpec, asked: PreparedRun) -> None:
    """Raise InvalidRequest for a format that is no parts, and for parts in the way.

    Unavailable for a place that is away.
    """
    if asked.writer.joins is None:
        names = ", ".join(sorted(name for name, each in BY_NAME.items() if each.heads is not None))
        raise InvalidRequest(
            f"follow: this format is written whole, at the end: name one of {names}; fetch writes"
            " others once the run is finished"
        )
    if not spec.out:
        return
    parts = f"{spec.out}{_PARTS}"
    if is_url(spec.source) and f"{spec.out}/".startswith(f"{spec.source.rstrip('/')}/"):
        raise InvalidRequest(f"out {spec.out!r} lies in what is followed: name one elsewhere")
    if not is_url(spec.out):
        refuse_overlap(spec.source, Path(spec.out), (), is_folder=False)
    if is_taken(parts):
        raise InvalidRequest(
            f"{parts}: is there: parts of two runs are not to be mixed: move it, or name another"
            " output"
        )


def place_part(
    spec: RunSpec, suffix: str, number: int, folder: Path, check: Callable[[], None]
) -> None:
    """Put what a shard's writer made into its place, the rows last.

    Raises InvalidRequest for a place that refuses, Unavailable for one that is away.
    """
    rows, errors = f"part-{number + 1:06}{suffix}", f"errors-{number + 1:06}.jsonl"
    for name, file in ((errors, folder / ERRORS), (rows, folder / ROWS)):
        if file.exists():
            upload(f"{spec.out}{_PARTS}/{name}", {name: file}, check)
