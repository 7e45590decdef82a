"""A Hugging Face `datasets` folder, as `Dataset.save_to_disk` leaves it, for `load_from_disk`.

    data-00000-of-00002.arrow ...   Arrow streams
    state.json                      names them, and the fingerprint of what they hold
    dataset_info.json               what they are; the features are told by the Arrow schema

Written with pyarrow alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa

from ..rows import Annotation, Origin
from .base import Moved
from .coco import info
from .columns import TABLES, WEIGHTS, Tables
from .held_files import HeldFiles
from .joining import ReadPart

#: Bytes after which a shard ends, at the next table.
SHARD_BYTES = 256 * 1024 * 1024


class DatasetsFolder(HeldFiles):
    """Shards that follow each other, then the two files that name them."""

    is_folder: ClassVar[bool] = True
    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._tables = Tables(origin, path, self._held)
        self._digest = hashlib.blake2b(digest_size=8)
        self._shards: list[_Shard] = []

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        for table in self._tables.add(annotation):
            self._write(table)

    def _write(self, table: Any) -> None:
        if not self._shards or self._shards[-1].bytes >= SHARD_BYTES:
            self._next_shard()
        self._shards[-1].write(table)

    def _next_shard(self) -> None:
        if self._shards:
            self._shards[-1].close()
        path = self.path / f"data-{len(self._shards):05d}.arrow"
        shard = _Shard(path, self._tables.schema, self._digest)
        self._held.callback(shard.close)
        self._shards.append(shard)

    def leave(self, folder: Path) -> None:
        """Leave the streams, one after another: they are cut where one of all rows would be."""
        for table in self._tables.rest():
            self._write(table)
        with (folder / TABLES).open("wb") as left:
            for shard in self._shards:
                shard.close()
                with shard.path.open("rb") as stream:
                    shutil.copyfileobj(stream, left)
                shard.path.unlink()
        self._tables.leave(folder)
        super().leave(folder)

    def join(self, read: ReadPart) -> Moved | None:
        """Take the rows of another folder, which need no look at what they are."""
        with TemporaryFile(dir=self.path.parent) as copied:
            for chunk in read(TABLES):
                copied.write(chunk)
            size = copied.tell()
            copied.seek(0)
            for table in self._tables.join(_batches(copied, size), b"".join(read(WEIGHTS))):
                self._write(table)
        return super().join(read)

    def _finish(self) -> None:
        for table in self._tables.rest():
            self._write(table)
        if not self._shards:
            self._next_shard()
            self._shards[-1].write_nothing()
        self._shards[-1].close()
        names = [f"data-{i:05d}-of-{len(self._shards):05d}.arrow" for i in range(len(self._shards))]
        for shard, name in zip(self._shards, names, strict=True):
            shard.path.rename(self.path / name)
        self._write_json("state.json", _state(names, self._digest.hexdigest()))
        self._write_json("dataset_info.json", _dataset_info(self.origin))

    def _write_json(self, name: str, document: dict[str, Any]) -> None:
        text = json.dumps(document, indent=2, sort_keys=True)
        (self.path / name).write_text(text, encoding="utf-8")


def _batches(streams: BinaryIO, size: int) -> Iterator[Any]:
    """The batches of streams that follow each other in a file."""
    while streams.tell() < size:
        with pa.ipc.open_stream(streams) as stream:
            yield from map(pa.Table.from_batches, ([batch] for batch in stream))


class _Shard:
    """An Arrow stream in a file."""

    def __init__(self, path: Path, schema: Any, digest: Any) -> None:
        self.path, self._schema = path, schema
        self._sink = _Digested(path, digest)
        self._stream = pa.ipc.new_stream(pa.PythonFile(self._sink, mode="w"), schema)

    @property
    def bytes(self) -> int:
        """How many are written."""
        return self._sink.bytes

    def write(self, table: Any) -> None:
        """Write a table."""
        self._stream.write_table(table)

    def write_nothing(self) -> None:
        """Write no rows: `datasets` refuses a stream without a batch."""
        self._stream.write_batch(pa.RecordBatch.from_pylist([], schema=self._schema))

    def close(self) -> None:
        """End the stream and the file; again does nothing."""
        if not self._sink.closed:
            self._stream.close()
            self._sink.close()


class _Digested(io.RawIOBase):
    """A file whose bytes go into a digest too."""

    def __init__(self, path: Path, digest: Any) -> None:
        super().__init__()
        self.bytes = 0
        self._digest = digest
        self._file: BinaryIO = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _state(names: list[str], fingerprint: str) -> dict[str, Any]:
    """`state.json`, with the keys that `Dataset.load_from_disk` looks for."""
    return {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": fingerprint,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }


def _dataset_info(origin: Origin) -> dict[str, Any]:
    told = info(origin)
    return {"citation": "", "description": told["description"], "homepage": "", "license": ""}
