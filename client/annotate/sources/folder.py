"""Files as rows: all below a folder, those of a glob, those that a list names, or one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, dropwhile, islice
from typing import Any, BinaryIO

from ....protocol.errors import InvalidRequest, RowError
from ....protocol.file_words import printable_name
from ....tasks.base import Task
from ....tasks.tensors import TensorSpec
from ...errors import UsageError
from ..rows import SourceRow, UnreadableRow
from .ahead import ahead
from .base import Columns, Source
from .cells import utf8
from .files import FileStore, not_empty
from .first_bytes import HEAD_BYTES, holds
from .frames import ManyRows, many_rows
from .kinds import either, endings, is_film, is_many, needed_file, says_nothing, suffix_of
from .parts import Part
from .remote import is_url, located
from .sampling import USUAL, WHICH_FRAMES, Sampling, is_one_picture
from .text_files import lines
from .walking import EVERYTHING, FoundFile, Pattern, matching, walk

#: Rows that a file is taken for which may be many.
_ROWS_OF_MANY = 500


class FileRows(Source):
    """A file is a row, and its path below the source the row's id."""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        root: str,
        sampling: Sampling = USUAL,
    ) -> None:
        """Raises UsageError where columns are named: files have none."""
        super().__init__(task, columns)
        self._sampling = sampling
        named = [column for column in (columns.id, *columns.fields.values()) if column]
        if named:
            raise UsageError(f"column {named[0]!r}: this source is files, which have no columns")
        self._spec, self._files, self._root = needed_file(task, columns.constants), files, root
        self._either = either(task)

    @abstractmethod
    def list_files(self) -> Iterable[FoundFile]:
        """The files, in order."""

    def files(self) -> Iterable[str]:
        """The rows' own."""
        found = (self._files.join(self._root, file.path) for file in self.list_files())
        return self._files.on_this_machine(found)

    def __iter__(self) -> Iterator[SourceRow | UnreadableRow]:
        return self.each(1)

    def each(self, step: int) -> Iterator[SourceRow | UnreadableRow]:
        """The first row, and every `step`-th after it; no other file is read.

        Where a file is many rows, all of them.
        """
        self.left_out.clear()
        found = islice(self.list_files(), 0, None, step)
        return chain.from_iterable(ahead(found, self._rows, self._files.threads, _is_far))

    def parts(self, rows: int, first: int = 0) -> Iterator[Part]:
        """So many files each; fewer where a file is many rows."""
        mark, name, at, files, weight, most = "", "", 0, 0, 0, first or rows
        for found in self.list_files():
            name = printable_name(found.path)
            mark = mark or name
            files += 1
            weight += _ROWS_OF_MANY if self._is_many(found) else 1
            if weight >= most:
                yield Part(at, files, files if weight == files else None, mark, last=name)
                mark, at, files, weight, most = "", at + files, 0, 0, rows
        if files:
            yield Part(at, files, files if weight == files else None, mark, last=name)

    def part(self, part: Part) -> Iterator[SourceRow | UnreadableRow]:
        """The rows of its files."""
        found = ahead(self._files_of(part), self._rows, self._files.threads, _is_far)
        return chain.from_iterable(found)

    def _files_of(self, part: Part) -> Iterator[FoundFile]:
        """A part's files. Raises InvalidRequest where they are seen to be others."""
        count, name = 0, ""
        for count, found in enumerate(islice(self.list_from(part), part.units), start=1):
            name = printable_name(found.path)
            if count == 1:
                part.check(name)
            yield found
        if not count:
            part.check("")
        part.check_last(name)

    def list_from(self, part: Part) -> Iterator[FoundFile]:
        """The files from a part's first on."""
        return islice(self.list_files(), part.first, None)

    def _is_many(self, file: FoundFile) -> bool:
        """Whether a file may be more than one row."""
        return self._sampling.asked or is_many(self._spec_of(file.path), file.path)

    def counted(self) -> int | None:
        """By what the files tell of their frames and pages; of this machine's alone."""
        if not self._files.is_near:
            return None
        return sum(map(self._count, self.list_files()))

    def _count(self, found: FoundFile) -> int:
        """A file's rows; one that cannot be read is one."""
        path = self._files.join(self._root, found.path)
        if found.reason or not is_one_picture(self._spec_of(path)):
            return 1
        try:
            with self._files.held(path) as file:
                many = many_rows(file, self._sampling)
        except RowError:
            return 1
        return 1 if many is None or many.is_one_row else len(many.numbers)

    def _rows(self, found: FoundFile) -> Iterable[SourceRow | UnreadableRow]:
        """A file's rows; one that is a film by its name is read while they are taken."""
        files, path = self._files, found.path
        name = printable_name(found.id or path)
        try:
            files, path = located(files, self._root, path)
            if found.reason:
                raise RowError(found.reason)
            spec = self._spec_of(files.name_of(path))
            if is_one_picture(spec) and is_film(files.name_of(path)):
                return self._film(name, files, path)
            data = not_empty(files.read(path))
            if is_one_picture(spec) and (many := many_rows(data, self._sampling)):
                return self._many(name, files, path, many, data=data)
            value = data if spec.is_file else utf8(data)
        except RowError as error:
            return (UnreadableRow(name, error.message, files.shown(path)),)
        return (_whole(name, {spec.field: value}, files, path),)

    def _film(self, name: str, files: FileStore, path: str) -> Iterator[SourceRow | UnreadableRow]:
        """The rows of a file that is not held in full, but for one that is no film after all."""
        try:
            with files.held(path) as file:
                many = many_rows(file, self._sampling)
                data = _all_of(file) if many is None or many.is_one_row else b""
                if many:
                    yield from self._many(name, files, path, many, data=data)
                else:
                    yield _whole(name, {self._spec.field: data}, files, path)
        except RowError as error:
            yield UnreadableRow(name, error.message, files.shown(path))

    def _many(
        self, name: str, files: FileStore, path: str, many: ManyRows, *, data: bytes
    ) -> Iterator[SourceRow | UnreadableRow]:
        """A file's rows; where it breaks off, those before, and one error for the rest."""
        if many.is_one_row:
            # A task that has the parameter says itself what it reads of a file.
            if self._sampling.step is None and "frames" not in self.task.input.model_fields:
                self.leave_out_frames(name, many.total - 1)
            yield _whole(name, {self._spec.field: data}, files, path)
            return
        shown, count = files.shown(path), 0
        try:
            for row in many.rows(name):
                yield SourceRow(row.id, {self._spec.field: row.picture}, shown, row.frame)
                count += 1
        except RowError as error:
            rest = f"the rest of this file cannot be read: {error.message}"
            yield UnreadableRow(f"{name}#rest" if count else name, rest, shown)

    def _refuse_film(self, path: str, shown: str) -> None:
        if is_one_picture(self._spec) and is_film(path) and not self._sampling.asked:
            raise UsageError(f"{shown}: is a film: {WHICH_FRAMES}")

    def _spec_of(self, path: str) -> TensorSpec:
        """What a file is: one of several where rows may differ, by its name."""
        fit = (spec for spec in self._either if suffix_of(path) in endings(spec))
        return next(fit, self._spec)


class FolderSource(FileRows):
    """Files below a folder, hidden ones left out, whose names fit the task or the glob."""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        root: str,
        sampling: Sampling = USUAL,
        *,
        pattern: str = "",
        may_be_empty: bool = False,
    ) -> None:
        """Raises InvalidRequest when no file fits, UsageError for a film of unsaid frames."""
        super().__init__(task, columns, files, root, sampling)
        self._pattern = Pattern(pattern) if pattern else EVERYTHING
        _, dot, suffix = pattern.rpartition("/")[2].rpartition(".")
        # A glob that names a suffix means it.
        usual = endings(self._spec, frames=sampling.asked)
        self._ends = () if dot and suffix.strip("*?") else usual
        if may_be_empty:
            return
        first = next(iter(self.list_files()), None)
        shown = files.shown(files.join(root, pattern) if pattern else root)
        if first is None:
            ends = " ".join(endings(self._spec))
            films = any(is_many(self._spec, f"x{suffix}") for suffix in self.left_out)
            raise InvalidRequest(
                f"{shown}: no {self._spec.content} files are there ({ends}); "
                + (f"of films {WHICH_FRAMES}; " if films else "")
                + f"tables and tar shards are named themselves: {files.shown(root)}/*.parquet"
            )
        self._refuse_film(first.path, shown)

    def list_files(self) -> Iterator[FoundFile]:
        """The files, in order; counts those that are left out."""
        return self._listed("")

    def list_from(self, part: Part) -> Iterator[FoundFile]:
        """The files from a part's first on: a bucket is listed from there."""
        if not part.last or self._files.keys(self._root) is None:
            return super().list_from(part)  # also of a part that was cut before there was a last
        found = dropwhile(lambda found: found.path != part.mark, self._listed(part.mark))
        first = next(found, None)
        return super().list_from(part) if first is None else chain([first], found)

    def _listed(self, begin: str) -> Iterator[FoundFile]:
        self.left_out.clear()
        self.left_out.update(self._files.passed_over)
        for found in find(self._files, self._root, self._pattern, self._may_fit, begin):
            if found.reason or self._fits(found.path) or self._holds(found.path):
                yield found
            else:
                self.leave_out(found.path)

    def count(self) -> int | None:
        """By a listing of its own; only of this machine's files, each of which is one row."""
        if not self._files.is_near or self._sampling.asked:
            return None
        count = 0
        for found in self.list_files():
            if is_many(self._spec, found.path):
                return None
            count += 1
        return count

    def _may_fit(self, name: str) -> bool:
        if self._fits(name) or (self._files.is_near and says_nothing(name)):
            return True
        self.leave_out(name)
        return False

    def _fits(self, path: str) -> bool:
        return not self._ends or path.lower().endswith(self._ends)

    def _holds(self, path: str) -> bool:
        """Whether a file whose name says nothing is one all the same: a bucket's is not looked at,
        since each would be asked for twice.
        """
        return looks_right(self._files, self._files.join(self._root, path), self._spec)


def _is_far(file: FoundFile) -> bool:
    """Whether a list names a file that is not where the list is."""
    return is_url(file.path)


def _all_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return not_empty(file.read())


class ListedFiles(FileRows):
    """The files that a list names, a path a line, relative to the list's own folder."""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        path: str,
        sampling: Sampling = USUAL,
    ) -> None:
        """Raises InvalidRequest when there is no such list."""
        super().__init__(task, columns, files, files.folder_of(path), sampling)
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

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        path: str,
        sampling: Sampling = USUAL,
    ) -> None:
        """Raises UsageError for a film of which nobody says which frames are rows."""
        super().__init__(task, columns, files, files.folder_of(path), sampling)
        self._name = path.rpartition("/")[2]
        self._refuse_film(self._name, files.shown(path))

    def list_files(self) -> Iterable[FoundFile]:
        """The files, in order."""
        return (FoundFile(self._name),)

    def count(self) -> int | None:
        """One, or its frames or pages."""
        is_one = not self._sampling.asked and not is_many(self._spec, self._name)
        return 1 if is_one else self.counted() if self._files.is_near else None


def _whole(name: str, values: Mapping[str, Any], files: FileStore, path: str) -> SourceRow:
    """The row of a file as it is."""
    return SourceRow(name, values, files.shown(path), file=path if files.is_local else "")


def looks_right(files: FileStore, path: str, spec: TensorSpec) -> bool:
    """Whether a file whose name says nothing begins as an input's do."""
    try:
        return says_nothing(path) and holds(spec, files.head(path, HEAD_BYTES))
    except RowError:
        return False


def find(
    files: FileStore,
    root: str,
    pattern: Pattern,
    wanted: Callable[[str], bool],
    begin: str = "",
) -> Iterator[FoundFile]:
    """Files below a root in the order of their paths, however the place is best listed.

    A place of flat keys is listed from `begin` on.
    """
    keys = files.keys(root, begin)
    if keys is None:
        return walk(files, root, pattern, wanted)
    return (FoundFile(key) for key in keys if matching(pattern, wanted, key))
