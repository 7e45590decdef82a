"""Parquet and Arrow files, by pyarrow. Only the columns that are needed are read.

Arrow's IPC comes as a stream (as `datasets` writes it) or as a file (Feather 2), told apart by the
file's magic: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from pydantic_core import from_json

from ....protocol.errors import RowError
from ....tasks.tensors import Content
from .files import FileStore, missing
from .local_files import LocalFiles
from .mapping import Mapped
from .parts import Start
from .table import Head, TableReader, TableRecord

try:
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet as pq
except ImportError:
    raise missing("pyarrow") from None

#: Rows in memory at once: few where cells hold whole files.
_FILE_ROWS, _ROWS = 16, 1024

#: How a file begins and ends, and how a stream ends.
_MAGIC, _END = b"ARROW1", b"\xff\xff\xff\xff\0\0\0\0"

#: Bytes of a column that are read at once, so that a large row group is not held whole.
_BUFFER_BYTES = 1 << 20

#: `datasets` names its features' types so in the schema's metadata.
_FEATURES: Mapping[str, Content] = {"Image": "image", "Audio": "audio"}


class ParquetReader(TableReader):
    """`.parquet`."""

    def head(self, files: FileStore, path: str) -> Head:
        """The columns of the schema."""
        with _parquet(files, path, glance=True) as table:
            return head_of(table.schema_arrow)

    def records(self, files: FileStore, path: str, mapped: Mapped) -> Iterator[TableRecord]:
        """The rows, a few at a time."""
        with _parquet(files, path) as table:
            rows = _rows_at_once(mapped)
            for batch in table.iter_batches(batch_size=rows, columns=mapped.columns):
                yield from records_of(batch)

    def starts(
        self,
        files: FileStore,
        path: str,
        mapped: Mapped,  # noqa: ARG002 # the footer knows
    ) -> Iterator[Start]:
        """As many as the footer tells."""
        return (Start(number) for number in range(self.count(files, path) or 0))

    def records_from(
        self, files: FileStore, path: str, mapped: Mapped, start: Start
    ) -> Iterator[TableRecord]:
        """The rows from one on; row groups before it are not read."""
        with _parquet(files, path) as table:
            before, groups = 0, range(table.metadata.num_row_groups)
            for group in groups:
                rows = table.metadata.row_group(group).num_rows
                if before + rows > start.records:
                    break
                before += rows
            else:
                return
            batches = table.iter_batches(
                batch_size=_rows_at_once(mapped),
                row_groups=list(groups[group:]),
                columns=mapped.columns,
            )
            for batch in batches:
                skipped = min(batch.num_rows, max(0, start.records - before))
                before += batch.num_rows
                yield from records_of(batch.slice(skipped))

    def count(self, files: FileStore, path: str) -> int | None:
        """As the footer tells."""
        with _parquet(files, path, glance=True) as table:
            return int(table.metadata.num_rows)


class ArrowReader(TableReader):
    """`.arrow`, `.feather`, `.ipc`."""

    def head(self, files: FileStore, path: str) -> Head:
        """The columns of the schema."""
        with _ipc(files, path) as table:
            return head_of(table.schema)

    def records(self, files: FileStore, path: str, mapped: Mapped) -> Iterator[TableRecord]:
        """The rows, a few at a time."""
        with _ipc(files, path) as table:
            rows = _rows_at_once(mapped)
            for batch in _batches(table):
                needed = batch.select(mapped.columns)
                for start in range(0, batch.num_rows, rows):
                    yield from records_of(needed.slice(start, rows))
        if not _whole(files, path):
            raise RowError("it has no end mark: it may be cut short")

    def count(self, files: FileStore, path: str) -> int | None:
        """By the batches; only of this machine's files: else all of it would have to travel."""
        if not isinstance(files, LocalFiles):
            return None
        with _ipc(files, path) as table:
            return int(sum(batch.num_rows for batch in _batches(table)))


def _rows_at_once(mapped: Mapped) -> int:
    return _FILE_ROWS if any(spec.is_file for spec in mapped.inputs) else _ROWS


def head_of(schema: pa.Schema) -> Head:
    """The columns of a schema."""
    contents: list[tuple[str, Content]] = [
        (name, _FEATURES[kind])
        for name, feature in _features(schema.metadata or {}).items()
        if name in schema.names and (kind := _kind(feature)) in _FEATURES
    ]
    return Head(tuple(schema.names), tuple(contents))


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:  # any JSON
    try:
        features = from_json(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return features if isinstance(features, dict) else {}


def _kind(feature: object) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def records_of(batch: pa.RecordBatch) -> Iterator[TableRecord]:
    """The rows of a batch."""
    return (TableRecord(_without_nulls(row)) for row in batch.to_pylist())


def _without_nulls(cells: dict[str, Any]) -> dict[str, Any]:  # whatever Arrow holds
    """Cells whose structs leave out what is null: Arrow has no other way to leave it out."""
    return {name: _left_out(value) for name, value in cells.items()}


def _left_out(value: object) -> object:
    if isinstance(value, dict):
        return {name: _left_out(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return [_left_out(entry) for entry in value]
    return value


@contextmanager
def _parquet(files: FileStore, path: str, *, glance: bool = False) -> Iterator[pq.ParquetFile]:
    # A mapped file's pages are the system's to drop.
    mapped = isinstance(files, LocalFiles)
    with (
        _row_errors(),
        closing(files.glance(path) if glance else files.open(path)) as file,
        pq.ParquetFile(
            path if mapped else file,
            memory_map=mapped,
            buffer_size=0 if mapped else _BUFFER_BYTES,
            pre_buffer=False,
        ) as table,
    ):
        yield table


@contextmanager
def _ipc(
    files: FileStore, path: str
) -> Iterator[pa.RecordBatchStreamReader | pa.RecordBatchFileReader]:
    with _row_errors(), closing(files.open(path)) as file:
        whole = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        source = pa.memory_map(path) if isinstance(files, LocalFiles) else pa.PythonFile(file)
        read = pa.ipc.open_file if whole else pa.ipc.open_stream
        with closing(source), read(source) as table:
            yield table


def _batches(
    table: pa.RecordBatchStreamReader | pa.RecordBatchFileReader,
) -> Iterator[pa.RecordBatch]:
    if isinstance(table, pa.RecordBatchFileReader):
        return (table.get_batch(index) for index in range(table.num_record_batches))
    return iter(table)


def _whole(files: FileStore, path: str) -> bool:
    """Whether an IPC file or stream ends as writers end it, and not just between two batches."""
    with closing(files.open(path)) as file:
        file.seek(-len(_END), io.SEEK_END)
        last = file.read(len(_END))
    return last == _END or last.endswith(_MAGIC)


@contextmanager
def _row_errors() -> Iterator[None]:
    """What pyarrow says of a broken file, as RowError."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError) as error:
        raise RowError(str(error).partition("\n")[0] or type(error).__name__) from None
