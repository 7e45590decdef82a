"""Lance's tables, `rows.lance` or `rows.lance@12`, by its own library.

What is in a bucket it reads by itself, with the keys and the endpoint of `AWS_*`, and of `GOOGLE_*`
and `AZURE_*` for other clouds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ....protocol.errors import InvalidRequest, RowError, Unavailable
from ....tasks.base import Task
from .arrow import head_of, records_of
from .base import Columns, Source
from .files import FileStore, missing
from .remote import is_url
from .spelling import LancePath
from .table import Head
from .versioned import VersionedSource, VersionedTable

try:
    import lance
except ImportError:
    raise missing("pylance", "lance") from None

#: What Lance's own stores are called.
_CLOUDS = ("s3://", "gs://", "az://")

#: Rows of a batch; of large ones. Bytes that are read ahead: it would be 2 GiB.
_ROWS, _LARGE_ROWS, _AHEAD_BYTES = 1024, 16, 1 << 26


def open_lance(files: FileStore, path: LancePath, task: Task, columns: Columns) -> Source:
    """The rows of a table whose folder is there. Raises InvalidRequest."""
    folder = path.folder
    shown = files.shown(folder)
    if not files.is_local and not shown.lower().startswith(_CLOUDS):
        raise InvalidRequest(f"{shown}: Lance reads folders, and buckets of s3://, gs:// and az://")
    try:
        table = LanceTable(folder if files.is_local else shown, shown, path.version)
        table.check(files, folder)
    except RowError as error:
        raise InvalidRequest(f"{shown}: {error.message}") from None
    source = VersionedSource(task, columns, files, files.folder_of(folder), table)
    source.pinned = f"{folder if files.is_local else shown}@{table.version}"
    return source


class LanceTable(VersionedTable):
    """One version."""

    def __init__(self, uri: str, shown: str, version: str) -> None:
        self._shown = shown
        with _row_errors():
            self._table = lance.dataset(
                uri,
                version=int(version) if version else None,
                storage_options=_storage() if is_url(uri) else None,
            )

    @property
    def shown(self) -> str:
        """Its folder."""
        return self._shown

    @property
    def version(self) -> int:
        """Which it is."""
        return int(self._table.version)

    @property
    def head(self) -> Head:
        """Its columns."""
        return head_of(self._table.schema)

    def count(self) -> int:
        """How many rows it has."""
        with _row_errors():
            return int(self._table.count_rows())

    def rows(
        self, columns: list[str], skip: int, *, are_large: bool
    ) -> Iterator[Mapping[str, Any]]:
        """The rows from one on."""
        with _row_errors():
            scanner = self._table.scanner(
                columns=columns,
                offset=skip,
                batch_size=_LARGE_ROWS if are_large else _ROWS,
                batch_readahead=2,
                fragment_readahead=1,
                io_buffer_size=_AHEAD_BYTES,
                scan_in_order=True,
                blob_handling="all_binary",
            )
            for batch in scanner.to_batches():
                for record in records_of(batch):
                    yield record.cells

    def check(self, files: FileStore, folder: str) -> None:
        """Raise RowError where its files lie elsewhere, in places that are not to be read."""
        for base in self._table.base_paths().values():
            if is_url(base.path):
                files.elsewhere(base.path)
            elif not files.is_folder(base.path):
                raise RowError(f"its files lie in {base.path}, which cannot be read")
        if not files.is_local or self._table.base_paths():
            return
        for fragment in self._table.get_fragments():
            for file in fragment.data_files():
                if not files.is_file(files.join(folder, f"data/{file.path}")):
                    raise RowError(f"its file data/{file.path} cannot be read")


def _storage() -> dict[str, str]:
    """What Lance does not look for under the names that others have for it."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint:
        return {}
    return {"aws_endpoint": endpoint, "allow_http": str(endpoint.startswith("http:")).lower()}


@contextmanager
def _row_errors() -> Iterator[None]:
    """What Lance says, without where in its code: of a broken table, of a store that is away."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        told = re.sub(r",? /\S+\.rs\S*", "", str(error).partition("\n")[0])
        if isinstance(error, OSError) or "LanceError(IO)" in told:
            raise Unavailable(told) from None
        raise RowError(told) from None
