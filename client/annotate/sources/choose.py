"""From what people write to the source that reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ...errors import UsageError
from . import saved
from .archives import archive_in, open_archive
from .base import Columns, Source
from .delimited import DelimitedReader
from .files import FileStore, is_web
from .folder import FolderSource, ListedFiles, OneFile, find, looks_right
from .hub_spelling import is_hub
from .jsonl import JsonLinesReader
from .kinds import Kind, either, endings, is_many, kind_of, needed_file
from .local_files import LocalFiles
from .plain_lines import TextLinesReader
from .queries import NO_QUERY, Query, database_path, is_database
from .remote import is_url, open_url
from .sampling import USUAL, Sampling
from .shards import ShardSource
from .spelling import expanded, has_braces, is_glob, lance_path, split_glob
from .table import TableReader, TableSource
from .walking import Pattern
from .web import web_files

_USUAL = Columns()

_UNDERSTOOD = (
    "a source is a folder, a zip archive, a glob, a list of paths (@FILE, .lst, .paths), JSONL, "
    "CSV, TSV, Parquet, Arrow or Feather, a folder that `datasets` saved (FOLDER#SPLIT), tar "
    "shards (shard-{000..012}.tar), or any of these behind s3://, gs://, az:// or, but for folders "
    "and globs, https://; hf://datasets/OWNER/NAME, a Lance table, or with --query a data base"
)


#: From what people write to where its files are, and the path there.
PlaceOf = Callable[[str], tuple[FileStore, str]]


def place_of(spec: str) -> tuple[FileStore, str]:
    """Where a spelling leads, into archives too. Raises InvalidRequest, UsageError for none."""
    files, path = outer_place(spec)
    found = archive_in(files, path)
    return (files, path) if found is None else (open_archive(files, found.archive), found.inside)


def outer_place(spec: str) -> tuple[FileStore, str]:
    """Where a spelling leads, an archive being a file. Raises InvalidRequest, UsageError."""
    if not spec:
        raise UsageError(f"the source is empty; {_UNDERSTOOD}")
    if is_database(spec):
        return LocalFiles(), database_path(spec)
    if is_hub(spec):
        from . import hub  # only here: its package may not be there

        return hub.open_hub(spec)
    if is_web(spec):
        return web_files(open_url, source=spec), spec
    if is_url(spec):
        return open_url(spec)
    return LocalFiles(), os.path.expanduser(spec).replace(os.sep, "/")  # noqa: PTH111 # no Path: see join


def open_source(
    spec: str,
    task: Task,
    columns: Columns = _USUAL,
    sampling: Sampling = USUAL,
    place: PlaceOf = place_of,
    query: Query = NO_QUERY,
) -> Source:
    """The source that `spec` names, for a task's rows. Raises InvalidRequest.

    What is there under that very name comes first: brackets, braces and # may be part of it.
    `place` finds where that is.
    """
    files, path = _placed(place, spec)
    if query != NO_QUERY or is_database(spec):
        refuse_sampling(sampling)
        from .sql import open_query  # only here: few sources are data bases

        return open_query(files, path, query, task, columns)
    if (table := lance_path(path)) and _is_folder(files, table.folder, spec):
        from .lance_table import open_lance  # only here: its package may not be there

        refuse_sampling(sampling)
        return open_lance(files, table, task, columns)
    opened = _Opening(task, columns, files, sampling)
    try:
        source = (
            opened.described(path) or opened.one(path) or opened.split(path) or opened.many(path)
        )
        if source is None and spec.startswith("@") and len(spec) > 1:
            files, path = _placed(place, spec[1:])
            return ListedFiles(task, columns, files, path, sampling)
    except RowError as error:
        raise InvalidRequest(f"{spec}: {error.message}") from None
    if source is None:
        raise InvalidRequest(f"{spec}: there is no such file or folder; {_UNDERSTOOD}")
    source.pinned = files.pinned(path)
    return source


def _placed(place: PlaceOf, spec: str) -> tuple[FileStore, str]:
    try:
        return place(spec)
    except RowError as error:
        raise InvalidRequest(f"{spec}: {error.message}") from None


def _is_folder(files: FileStore, path: str, spec: str) -> bool:
    try:
        return files.is_folder(path)
    except RowError as error:
        raise InvalidRequest(f"{spec}: {error.message}") from None


@dataclass(frozen=True, slots=True)
class _Opening:
    """The steps that find what a path names."""

    task: Task
    columns: Columns
    files: FileStore
    sampling: Sampling

    def described(self, path: str) -> Source | None:
        """What a description among the files calls by a name of its own."""
        paths = self.files.described(path)
        kind = kind_of(paths[0]) if paths else None
        if not paths or kind is None:
            return None
        return self._kind(kind, lambda: paths, one=len(paths) == 1)

    def one(self, path: str) -> Source | None:
        """A file or a folder of exactly that name."""
        if self.files.is_file(path):
            return self._file(path)
        if not self.files.is_folder(path):
            return None
        path = path.rstrip("/") or path[:1]
        if saved.is_saved(self.files, path):
            return self._saved(path, "")
        return FolderSource(self.task, self.columns, self.files, path, self.sampling)

    def split(self, path: str) -> Source | None:
        """A folder that `datasets` saved, and one of its splits: `folder#train`."""
        folder, hash_, split = path.rpartition("#")
        folder = folder.rstrip("/")
        if hash_ and self.files.is_folder(folder) and saved.is_saved(self.files, folder):
            return self._saved(folder, split)
        return None

    def many(self, path: str) -> Source | None:
        """Files by braces or a glob."""
        if has_braces(path):
            return self._braces(path)
        if not is_glob(path):
            return None
        root, pattern = split_glob(path)
        if not self.files.is_folder(root):
            return None
        kind = kind_of(pattern)
        if kind is None or kind == "text":
            return FolderSource(
                self.task, self.columns, self.files, root, self.sampling, pattern=pattern
            )

        def paths() -> Iterable[str]:
            found = find(self.files, root, Pattern(pattern), lambda _: True)
            return (self.files.join(root, f.path) for f in found if not f.reason)

        if next(iter(paths()), None) is None:
            return None
        return self._kind(kind, paths, one=False)

    def _braces(self, path: str) -> Source | None:
        if not self.files.is_file(next(iter(expanded(path)))):
            return None
        kind = kind_of(path)
        if kind is None or kind == "text":
            raise InvalidRequest(f"{path}: braces name tables and tar shards; for files use a glob")
        return self._kind(kind, lambda: expanded(path), one=False)

    def _file(self, path: str) -> Source:
        kind = kind_of(self.files.name_of(path))
        if kind is not None and not (kind == "text" and self._is_file_task()):
            return self._kind(kind, lambda: (path,), one=True)
        spec = needed_file(self.task, self.columns.constants)
        name = self.files.name_of(path)
        named = name.lower().endswith(endings(spec)) or is_many(spec, name)
        if named or looks_right(self.files, path, spec):
            return OneFile(self.task, self.columns, self.files, path, self.sampling)
        raise InvalidRequest(
            f"{self.files.shown(path)}: is no {spec.content} file by its name or its first bytes; "
            + _UNDERSTOOD
        )

    def _is_file_task(self) -> bool:
        """Whether the lines of a text file are no rows."""
        if any(spec.content == "text" for spec in either(self.task)):
            return False
        return any(spec.is_file for spec in self.task.inputs)

    def _saved(self, folder: str, split: str) -> Source:
        paths = saved.arrow_files(self.files, folder, split)
        if not paths:
            raise InvalidRequest(f"{self.files.shown(folder)}: has no rows")
        refuse_sampling(self.sampling)
        return TableSource(self.task, self.columns, self.files, lambda: paths, _reader("arrow"))

    def _kind(self, kind: Kind, paths: Callable[[], Iterable[str]], *, one: bool) -> Source:
        if kind != "paths":
            refuse_sampling(self.sampling)
        if kind == "tar":
            return ShardSource(self.task, self.columns, self.files, paths, one=one)
        if kind == "paths":
            if one:
                path = next(iter(paths()))
                return ListedFiles(self.task, self.columns, self.files, path, self.sampling)
            raise InvalidRequest("one list of paths is read at a time")
        return TableSource(self.task, self.columns, self.files, paths, _reader(kind))


def refuse_sampling(sampling: Sampling) -> None:
    """Raise UsageError where frames are asked of what has none."""
    if sampling.asked:
        raise UsageError(
            "every, frames: sample files: a folder, a glob, a list of paths or a film, no "
            "table or shard"
        )


def _reader(kind: Kind) -> TableReader:
    if kind == "lines":
        return JsonLinesReader()
    if kind == "text":
        return TextLinesReader()
    if kind in ("csv", "tsv"):
        return DelimitedReader("\t" if kind == "tsv" else "")
    from . import arrow  # only here: its package is large, and may not be there

    return arrow.ParquetReader() if kind == "parquet" else arrow.ArrowReader()
