"""Label Studio's predictions, a JSON list of tasks to import.

Each task has `data.image` (or `data.audio`) and one prediction, whose results
tasks/label_studio/results.py writes. `data.image` is the row's path or id; with a prefix it is that
and the path below the source, as part of a URL where the prefix is one that browsers ask for.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ....protocol.errors import RowError
from ....tasks.label_studio.import_tasks import AnsweredRow, import_task, shown_path
from ..rows import Annotation, Origin
from .base import OutputLayout
from .coco import file_name
from .held_files import HeldFiles
from .json_document import GrowingArray
from .text import clean


class LabelStudio(HeldFiles):
    """A task a row; one without results has an empty prediction."""

    names_pictures: ClassVar[bool] = True
    joins: ClassVar[bool] = True
    uses: ClassVar[frozenset[str]] = frozenset({"media_prefix"})

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        self._file = self._open(path)
        self._version = ":".join(filter(None, (origin.model, origin.version)))
        self._file.write("[")
        self._tasks = self._grows("tasks", GrowingArray(self._file))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        below = clean(file_name(annotation)).lstrip("/")
        path = annotation.path or annotation.id
        shown = shown_path(path, below, self.layout.media_prefix)
        row = AnsweredRow(
            annotation.index, annotation.id, shown, annotation.size, annotation.output
        )
        try:
            task = import_task(self.origin.task, self._version, row)
        except ValueError as error:
            raise RowError(str(error)) from None
        self._tasks.add(task)

    def _finish(self) -> None:
        self._file.write("\n]\n")
