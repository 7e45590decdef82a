"""Records as Arrow columns: a schema told by the task's Output, and tables of a bounded size."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
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

#: What a part's tables, and the weights of its rows, are called.
TABLES, WEIGHTS = "tables", "weights"

_WEIGHT = struct.Struct("<Q")

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

    def __init__(self, origin: Origin, beside: Path, held: ExitStack) -> None:
        self.schema = schema_of(origin)
        self._task = origin.task
        self._json = _json_columns(origin.task)
        #: Of these, those whose JSON may be null.
        self._any = {entry.name for entry in entries(origin.task) if entry.kind is Any}
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        #: Of rows that come as tables: these, and how many they have.
        self._tables: list[Any] = []
        self._count = 0
        self._weights = held.enter_context(TemporaryFile(dir=beside.parent))  # noqa: SIM115 # held

    def add(self, annotation: Annotation) -> Iterator[Any]:
        """Take a row; gives a table when it is full."""
        record = record_of(annotation, self._task)
        for name in self._json:
            if record[name] is not None or name in self._any:
                record[name] = json_text(record[name])
        row = {name: _cleaned(value) for name, value in record.items()}
        weight = _weight(row)
        self._weights.write(_WEIGHT.pack(weight))
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
        elif self._tables:
            # No metadata but ours: files have their own.
            whole = pa.concat_tables(self._tables).combine_chunks()
            self._tables, self._count, self._bytes = [], 0, 0
            yield whole.cast(self.schema)

    def leave(self, folder: Path) -> None:
        """Write what the rows weigh, by which tables are cut."""
        self._weights.seek(0)
        with (folder / WEIGHTS).open("wb") as left:
            shutil.copyfileobj(self._weights, left)

    def join(self, tables: Iterable[Any], weights: bytes) -> Iterator[Any]:
        """Take another's tables and what its rows weigh; gives tables, cut as for one source."""
        told = (weight for (weight,) in _WEIGHT.iter_unpack(weights))
        for table in tables:
            begin = 0
            for place, weight in enumerate(islice(told, table.num_rows)):
                is_full = self._count == MAX_ROWS or self._bytes + weight > MAX_BYTES
                if is_full and self._count:
                    self._tables.append(table.slice(begin, place - begin))
                    begin = place
                    yield from self.rest()
                self._count += 1
                self._bytes += weight
            self._tables.append(table.slice(begin))


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
