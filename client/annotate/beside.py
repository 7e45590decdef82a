"""What is known of rows beside their answers: which pictures look alike, what another run said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...tasks.annotations.near_duplicates import SeenPictures, near_duplicates, near_view
from ...tasks.base import Task
from .ledger import Ledger
from .packing import image_of
from .report import Sampler
from .report.thumbnails import look_at, thumbnail
from .rows import SourceRow
from .run import RowWatcher

#: Pixels of a picture that looks like another, in a report.
_SIDE = 160


@dataclass(frozen=True, slots=True)
class Beside:
    """Parts of a summary that its answers do not tell."""

    #: As `near_view` has it; None where nobody looked.
    near_duplicates: Mapping[str, Any] | None = None
    #: As `compare_whole` in jobs/run_agreement.py has it; None where there is no other run.
    compared: Mapping[str, Any] | None = None
    #: Small pictures of the rows that these name, by their places in the source.
    pictures: Mapping[int, bytes] = field(default_factory=dict)


NOTHING_BESIDE = Beside()


class SeenRows:
    """Sees every row's picture, beside whoever else is told of rows."""

    def __init__(self, task: Task, sampler: Sampler | None) -> None:
        self._task, self._sampler, self._seen = task, sampler, SeenPictures()

    def offer(self, position: int, row: SourceRow, key: bytes) -> None:
        """See a row."""
        if self._sampler:
            self._sampler.offer(position, row, key)
        image = image_of(self._task, row)
        found = look_at(image) if image else None
        if found is not None:
            self._seen.note(position, found, key)

    def found(self, ledger: Ledger) -> Beside:
        """What looks alike. Pictures are read again where their rows are files of this machine."""
        near = near_duplicates(self._seen.table)
        wanted = sorted({at for group in near.listed for at in group.positions})
        named = ledger.named(wanted)
        pictures = {at: small for at, (_, path) in named.items() if (small := _small(path))}
        return Beside(
            near_view(near, {at: row_id for at, (row_id, _) in named.items()}), None, pictures
        )


def watcher(task: Task, sampler: Sampler | None, *, sees: bool) -> RowWatcher | None:
    """Who is told of rows while they are read."""
    return SeenRows(task, sampler) if sees else sampler


def _small(path: str) -> bytes:
    """A small picture of a file; b"" for what is none of this machine's."""
    try:
        found = thumbnail(Path(path).read_bytes(), _SIDE)
    except (OSError, ValueError):
        return b""
    return found.file if found else b""
