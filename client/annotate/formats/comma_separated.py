"""CSV (RFC 4180, with LF): a line an item where a row is answered by a list of items, else a row.

    id, path, index, width, height    of the row, repeated for each of its items
    frame, time, page                 where rows are frames or pages, likewise
    <field> ...                       the items' fields, a box's as four columns

A row without items has one line with empty fields. Lists and masks are JSON.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from ....tasks.annotations.fields import entries, model_in
from ....tasks.base import Task
from ..rows import Annotation, Origin
from .held_files import HeldFiles
from .records import FRAME, record_of
from .text import json_text

_HEAD = ("id", "path", "index", "width", "height")


class CommaSeparated(HeldFiles):
    """A header, then the lines."""

    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        held = entries(origin.task)
        item = held[0].item if len(held) == 1 else None
        self._items = held[0].name if item else ""
        self._columns = list(_item_columns(item) if item else _row_columns(origin.task))
        self._json = [entry.name for entry in held if entry.kind is Any]
        # An item's column may be called as one of the row's: the position of a ranked text is.
        self._of = FRAME if origin.has_frames else ()
        head = (*_HEAD, *self._of)
        names = [f"item_{name}" if name in head else name for name in self._columns]
        file = self._open(path)
        self._table = csv.writer(file, lineterminator="\n")
        self._table.writerow([*head, *names])
        self._stream("rows", file)

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        record = record_of(annotation, self.origin.task)
        size = record["size"] or (None, None)
        head = [record["id"], record["path"], record["index"], *size]
        head += [record.get(name) for name in self._of]
        for line in self._lines_of(record):
            self._table.writerow([*head, *(_cell(line.get(name)) for name in self._columns)])

    def _lines_of(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        if self._items:
            return [_flat(item) for item in record[self._items]] or [{}]
        return [{**record, **{name: json_text(record[name]) for name in self._json}}]

    def _finish(self) -> None:
        pass


def _row_columns(task: Task) -> Iterator[str]:
    for entry in entries(task):
        whole = None if entry.name else model_in(entry.kind)
        yield from whole.model_fields if whole else (entry.name,)


def _item_columns(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        yield from _item_columns(inner) if inner else (name,)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """A box's fields beside the others; masks stay whole."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and "counts" not in value:
            flat |= _flat(value)
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> Any:
    return json_text(value) if isinstance(value, (list, dict)) else value
