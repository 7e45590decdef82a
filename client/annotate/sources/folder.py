"""Files as rows: all below a folder, those of a glob, those that a list names, or one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ....tasks.tensors import TensorSpec
from ...errors import UsageError
from ..rows import SourceRow, UnreadableRow
from .ahead import ahead
from .base import Columns, Source
from .cells import utf8
from .files import FileStore, LocalFiles, not_empty, printable_name
from .kinds import either, endings, needed_file, suffix_of
from .remote import RemoteFiles, located
from .text_files import lines
from .walking import EVERYTHING, FoundFile, Pattern, matching, walk


class FileRows(Source):
    """A file is a row, and its path below the source the row's id."""

    def __init__(self, task: Task, columns: Columns, files: FileStore, root: str) -> None:
        """Raises UsageError where columns are named: files have none."""
        super().__init__(task, columns)
        named = [column for column in (columns.id, *columns.fields.values()) if column]
        if named:
            raise UsageError(f"column {named[0]!r}: this source is files, which have no columns")
        self._spec, self._files, self._root = needed_file(task, columns.constants), files, root

    @abstractmethod
    def list_files(self) -> Iterable[FoundFile]:
        """The files, in order."""

    def files(self) -> Iterable[str]:
        """The rows' own."""
        found = self.list_files() if self._files.is_local else ()
        return (self._files.join(self._root, file.path) for file in found)

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self.each(1)

    def each(self, step: int) -> Iterator[SourceRow | UnreadableRow]:
        """The first row, and every `step`-th after it; no other file is read."""
        return ahead(islice(self.list_files(), 0, None, step), self._row, self._files.threads)

    def _row(self, found: FoundFile) -> SourceRow | UnreadableRow:
        files, path = self._files, found.path
        try:
            files, path = located(files, self._root, path)
            if found.reason:
                raise RowError(found.reason)
            data, spec = not_empty(files.read(path)), self._spec_of(path)
            value = data if spec.is_file else utf8(data)
        except RowError as error:
            return UnreadableRow(printable_name(found.path), error.message, files.shown(path))
        file = path if files.is_local else ""
        return SourceRow(printable_name(found.path), {spec.field: value}, files.shown(path), file)

    def _spec_of(self, path: str) -> TensorSpec:
        """What a file is: one of several where rows may differ, by its name."""
        fit = (spec for spec in either(self.task) if suffix_of(path) in endings(spec))
        return next(fit, self._spec)


class FolderSource(FileRows):
    """Files below a folder, hidden ones left out, whose names fit the task or the glob."""

    def __init__(
        self, task: Task, columns: Columns, files: FileStore, root: str, pattern: str = ""
    ) -> None:
        """Raises InvalidRequest when no file fits."""
        super().__init__(task, columns, files, root)
        self._pattern = Pattern(pattern) if pattern else EVERYTHING
        _, dot, suffix = pattern.rpartition("/")[2].rpartition(".")
        # A glob that names a suffix means it.
        self._ends = () if dot and suffix.strip("*?") else endings(self._spec)
        if next(iter(self.list_files()), None) is None:
            shown = files.shown(files.join(root, pattern) if pattern else root)
            ends = " ".join(endings(self._spec))
            raise InvalidRequest(
                f"{shown}: no {self._spec.content} files are there ({ends}); tables and tar shards "
                f"are named themselves: {files.shown(root)}/*.parquet"
            )

    def list_files(self) -> Iterator[FoundFile]:
        """The files, in order; counts those that are left out."""
        self.left_out.clear()
        return find(self._files, self._root, self._pattern, self._wanted)

    def count(self) -> int | None:
        """By a listing of its own; only of this machine's files."""
        return sum(1 for _ in self.list_files()) if isinstance(self._files, LocalFiles) else None

    def _wanted(self, name: str) -> bool:
        if not self._ends or name.lower().endswith(self._ends):
            return True
        self.leave_out(name)
        return False


class ListedFiles(FileRows):
    """The files that a list names, a path a line, relative to the list's own folder."""

    def __init__(self, task: Task, columns: Columns, files: FileStore, path: str) -> None:
        """Raises InvalidRequest when there is no such list."""
        super().__init__(task, columns, files, files.folder_of(path))
        self._path = path
        try:
            files.open(path).close()
        except RowError as error:
            raise InvalidRequest(f"{files.shown(path)}: {error.message}") from None

    def list_files(self) -> Iterator[FoundFile]:
        """The files, in order."""
        try:
            for number, line in enumerate(lines(self._files, self._path, most=1 << 20), start=1):
                path = (line or b"").decode("utf-8", "surrogateescape").strip()
                if line is None or "\0" in path:
                    yield FoundFile(f"(line {number})", "it is no path")
                elif path:
                    yield FoundFile(path.removeprefix("./"))
        except RowError as error:
            name = self._path.rpartition("/")[2]
            yield FoundFile(name, f"the rest of this list cannot be read: {error.message}")


class OneFile(FileRows):
    """A single file."""

    def __init__(self, task: Task, columns: Columns, files: FileStore, path: str) -> None:
        super().__init__(task, columns, files, files.folder_of(path))
        self._name = path.rpartition("/")[2]

    def list_files(self) -> Iterable[FoundFile]:
        """The files, in order."""
        return (FoundFile(self._name),)

    def count(self) -> int | None:
        """One."""
        return 1


def find(
    files: FileStore,
    root: str,
    pattern: Pattern,
    wanted: Callable[[str], bool],
) -> Iterator[FoundFile]:
    """Files below a root in the order of their paths, however the place is best listed."""
    keys = files.keys(root) if isinstance(files, RemoteFiles) else None
    if keys is None:
        return walk(files, root, pattern, wanted)
    return (FoundFile(key) for key in keys if matching(pattern, wanted, key))
