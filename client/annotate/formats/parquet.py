"""Parquet: a row a row, items as lists of structs; a row group is one of `columns.Tables`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from typing import ClassVar

import pyarrow.parquet as pq

from ..rows import Annotation, Origin
from .base import Moved
from .columns import TABLES, WEIGHTS, Tables
from .held_files import HeldFiles
from .joining import ReadPart


class Parquet(HeldFiles):
    """One file, compressed with zstd; the schema's metadata `wherry` says what made it."""

    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._tables = Tables(origin, path, self._held)
        writer = pq.ParquetWriter(path, self._tables.schema, compression="zstd")
        self._file = self._held.enter_context(writer)

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        for table in self._tables.add(annotation):
            self._file.write_table(table)

    def leave(self, folder: Path) -> None:
        """Leave the file: it is read again, and cut where one of all rows would be."""
        self._finish()
        self._file.close()
        self.path.rename(folder / TABLES)
        self._tables.leave(folder)
        super().leave(folder)

    def join(self, read: ReadPart) -> Moved | None:
        """Take the rows of another file, which need no look at what they are."""
        with TemporaryFile(dir=self.path.parent) as copied:
            for chunk in read(TABLES):
                copied.write(chunk)
            copied.seek(0)
            file = pq.ParquetFile(copied)
            groups = map(file.read_row_group, range(file.num_row_groups))
            for table in self._tables.join(groups, b"".join(read(WEIGHTS))):
                self._file.write_table(table)
        return super().join(read)

    def _finish(self) -> None:
        for table in self._tables.rest():
            self._file.write_table(table)
