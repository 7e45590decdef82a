"""JSONL, the native format: a record a line, as `records.py` describes it; files are base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ....tasks.annotations.fields import MASK
from ....tasks.base import Task
from ..rows import Annotation, Origin
from .held_files import HeldFiles
from .records import FRAME, annotation_of, record_of, runs_or_bytes
from .text import json_text


class JsonLines(HeldFiles):
    """A line a row. Rows without an image have no `size`, whole files no `frame`."""

    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._file = self._stream("rows", self._open(path))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        record = record_of(annotation, self.origin.task, _base64)
        for name in ("size", *FRAME):
            if record.get(name, "") is None:
                del record[name]
        self._file.write(json_text(record) + "\n")

    def _finish(self) -> None:
        pass


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, in its order; files are base64 still."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield {"size": None, **json.loads(line)}


def read_annotations(path: Path, task: Task) -> Iterator[Annotation]:
    """The rows of a file that was written for `task`."""
    for record in read_jsonl(path):
        yield annotation_of(record, task)


def _base64(name: str, data: bytes) -> Any:
    if name == MASK:
        return runs_or_bytes(name, data)
    return base64.b64encode(data).decode("ascii")
