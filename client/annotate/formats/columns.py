"""Records as Arrow columns: a schema told by the task's Output, and tables of a bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ....tasks.annotations.fields import MASK, bare, element, entries, is_json, model_in
from ....tasks.base import Task
from ..rows import Annotation, Origin
from .coco import origin_of
from .records import FRAME, record_of
from .text import clean, json_text

#: Rows and bytes of one table, at most; one row may be larger.
MAX_ROWS, MAX_BYTES = 10_000, 16 * 1024 * 1024

_FRAME_TYPES = (pa.int64(), pa.float64(), pa.int64())
_RLE = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bytes: pa.binary()}


def schema_of(origin: Origin) -> Any:
    """The schema of a task's records. Vectors are float32; any JSON is a string that holds it."""
    fields = [
        # All may be null: `datasets` would copy the files where one is declared not to be.
        pa.field("id", pa.string()),
        pa.field("path", pa.string()),
        pa.field("index", pa.int64()),
        pa.field("size", pa.list_(pa.int32())),
    ]
    if origin.has_frames:
        fields += [pa.field(name, kind) for name, kind in zip(FRAME, _FRAME_TYPES, strict=True)]
    for entry in entries(origin.task):
        whole = model_in(entry.kind)
        if entry.name or whole is None:
            fields.append(pa.field(entry.name, _type(entry.kind, entry.name)))
        else:
            fields += _fields(whole)
    return pa.schema(fields, metadata={"wherry": json_text(origin_of(origin))})


class Tables:
    """Gathers rows to tables."""

    def __init__(self, origin: Origin) -> None:
        self.schema = schema_of(origin)
        self._task = origin.task
        self._json = _json_columns(origin.task)
        #: Of these, those whose JSON may be null.
        self._any = {entry.name for entry in entries(origin.task) if entry.kind is Any}
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, annotation: Annotation) -> Iterator[Any]:
        """Take a row; gives a table when it is full."""
        record = record_of(annotation, self._task)
        for name in self._json:
            if record[name] is not None or name in self._any:
                record[name] = json_text(record[name])
        row = {name: _cleaned(value) for name, value in record.items()}
        weight = _weight(row)
        if self._bytes + weight > MAX_BYTES:
            yield from self.rest()
        self._rows.append(row)
        self._bytes += weight
        if len(self._rows) == MAX_ROWS:
            yield from self.rest()

    def rest(self) -> Iterator[Any]:
        """What is gathered, if anything is."""
        if self._rows:
            table = pa.Table.from_pylist(self._rows, schema=self.schema)
            self._rows, self._bytes = [], 0
            yield table


def _json_columns(task: Task) -> list[str]:
    """Columns of strings that hold JSON."""
    kinds: dict[str, Any] = {}
    for entry in entries(task):
        whole = model_in(entry.kind)
        if entry.name or whole is None:
            kinds[entry.name] = entry.kind
        else:
            kinds |= {name: field.annotation for name, field in whole.model_fields.items()}
    return [name for name, kind in kinds.items() if is_json(kind)]


def _type(kind: Any, name: str) -> Any:
    inner, model = element(kind), model_in(bare(kind))
    if is_json(kind):
        return pa.string()
    if inner is float:
        return pa.list_(pa.float32())
    if inner is not None:
        return pa.list_(_type(inner, name))
    if model is not None:
        return pa.struct(_fields(model))
    if kind is bytes and name == MASK:
        return _RLE
    return _TYPES.get(bare(kind), pa.string())


def _fields(model: Any) -> list[Any]:
    fields = model.model_fields.items()
    return [pa.field(name, _type(field.annotation, name)) for name, field in fields]


def _cleaned(value: Any) -> Any:
    """Strings as UTF-8 can hold them."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: _cleaned(part) for name, part in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], float):
        return [_cleaned(part) for part in value]
    return value


def _weight(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, (str, bytes)):
        return len(value) + 8
    if isinstance(value, dict):
        return 8 + sum(map(_weight, value.values()))
    if isinstance(value, list):
        if value and isinstance(value[0], float):
            return 8 * len(value)
        return 8 + sum(map(_weight, value))
    return 8


def read_origin(schema: Any) -> dict[str, Any]:
    """What made a file, from its schema."""
    origin: dict[str, Any] = json.loads(schema.metadata[b"wherry"])
    return origin
