"""Label Studio's predictions, a JSON list of tasks to import.

Each task has `data.image` (or `data.audio`) and one prediction, whose results
tasks/label_studio/results.py writes. `data.image` is the row's path or id; with a prefix it is that
and the path below the source, as part of a URL where the prefix is one that browsers ask for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from ....protocol.errors import RowError
from ....tasks.annotations.fits import has_answers, has_labels, medium
from ....tasks.label_studio.results import mean_score, results_of
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
        self._medium = medium(origin.task)
        self._says_one = has_labels(origin.task) or has_answers(origin.task)
        self._file.write("[")
        self._tasks = self._grows("tasks", GrowingArray(self._file))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        results = self._results(annotation)
        prediction = {
            "model_version": self._version,
            "score": mean_score(results),
            "result": results,
        }
        task = {
            "data": {self._medium: self._shown(annotation), "wherry_id": annotation.id},
            "predictions": [prediction],
        }
        self._tasks.add(task)

    def _shown(self, annotation: Annotation) -> str:
        """Where Label Studio is to find a row's file."""
        prefix = self.layout.media_prefix
        if not prefix:
            return annotation.path or annotation.id
        below = clean(file_name(annotation)).lstrip("/")
        # Keys of a bucket are taken as they stand.
        is_asked_for = prefix.startswith(("http://", "https://", "/"))
        between = "" if prefix.endswith(("/", "=")) else "/"
        return prefix + between + (quote(below) if is_asked_for else below)

    def _finish(self) -> None:
        self._file.write("\n]\n")

    def _results(self, annotation: Annotation) -> list[dict[str, Any]]:
        try:
            found = list(results_of(annotation.output, annotation.size))
        except ValueError as error:
            raise RowError(str(error)) from None
        return [
            {"id": f"{annotation.index}-{place}", "to_name": self._medium, **result}
            for place, result in (found[:1] if self._says_one else found)
        ]
