"""Parquet: a row a row, items as lists of structs; a row group is one of `columns.Tables`."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from ..rows import Annotation, Origin
from .columns import Tables
from .held_files import HeldFiles


class Parquet(HeldFiles):
    """One file, compressed with zstd; the schema's metadata `wherry` says what made it."""

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._tables = Tables(origin)
        writer = pq.ParquetWriter(path, self._tables.schema, compression="zstd")
        self._file = self._held.enter_context(writer)

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        for table in self._tables.add(annotation):
            self._file.write_table(table)

    def _finish(self) -> None:
        for table in self._tables.rest():
            self._file.write_table(table)
