"""Parts of the output of a run that follows its source: each is whole when it is there.

They lie beside OUT, in OUT.parts, and stay when OUT is written at the run's end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..client.annotate.formats import Writer
from ..client.annotate.ledger import Ledger
from ..client.annotate.output import write_output
from ..client.annotate.prepared import PreparedRun
from ..client.annotate.rows import Origin
from ..client.annotate.sources import refuse_overlap
from ..client.annotate.sources.remote import is_url
from ..jobs.run_spec import RunSpec
from ..protocol.errors import InvalidRequest
from ..tasks.annotations.formats import BY_NAME
from .disk_place import put_on_disk
from .remote_place import refuse_taken, upload

#: What follows the name of an output.
_PARTS = ".parts"


def refuse_unfollowed(spec: RunSpec, format_name: str) -> None:
    """Raise InvalidRequest for a format that is no parts, and for parts in the way.

    Unavailable for a place that is away.
    """
    if not BY_NAME[format_name].is_lines:
        names = ", ".join(sorted(name for name, each in BY_NAME.items() if each.is_lines))
        raise InvalidRequest(
            f"follow: {format_name} is written whole, at the end: name one of {names}; fetch writes"
            " others once the run is finished"
        )
    if not spec.out:
        return
    if not is_url(spec.out):
        refuse_overlap(spec.source, Path(spec.out), (), is_folder=False)
    try:
        refuse_taken(f"{spec.out}{_PARTS}")
    except InvalidRequest as error:
        raise InvalidRequest(f"parts of two runs are not to be mixed: {error.message}") from None


def head_of(asked: PreparedRun, folder: Path) -> str:
    """What each part begins with: an output without a row."""
    file = folder / "head"
    with asked.writer(file, asked.origin):
        pass
    return file.read_text(encoding="utf-8", errors="surrogateescape")


class PartOfOutput:
    """A shard's part in its place."""

    def __init__(self, spec: RunSpec, number: int, suffix: str) -> None:
        self._folder = f"{spec.out}{_PARTS}"
        self._rows, self._errors = f"part-{number + 1:06}{suffix}", f"errors-{number + 1:06}.jsonl"

    def write(
        self,
        ledger: Ledger,
        origin: Origin,
        writer: type[Writer],
        base: int,
        folder: Path,
        check: Callable[[], None],
    ) -> None:
        """Write what a shard's ledger has, whose first row is `base`, and place it, the rows last.

        Raises InvalidRequest for a place that refuses, Unavailable for one that is away.
        """
        rows, errors = folder / self._rows, folder / self._errors
        write_output(ledger, origin, writer, rows, errors, base=base)
        put = upload if is_url(self._folder) else put_on_disk
        for file in (errors, rows):
            if file.exists():
                put(f"{self._folder}/{file.name}", {file.name: file}, check)
