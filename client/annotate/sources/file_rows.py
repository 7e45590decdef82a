"""Files as rows: how one is read, and a source of them cut."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, BinaryIO

from ....protocol.errors import RowError
from ....protocol.file_words import printable_name
from ....tasks.base import Task
from ....tasks.tensors import TensorSpec
from ...errors import UsageError
from ..rows import SourceRow, UnreadableRow
from .ahead import ahead
from .base import Columns, Source
from .cells import utf8
from .files import FileStore, not_empty
from .frames import ManyRows, many_rows
from .kinds import either, endings, is_film, is_many, needed_file, suffix_of
from .parts import Part
from .remote import is_url, located
from .sampling import USUAL, WHICH_FRAMES, Sampling, is_one_picture
from .walking import FoundFile

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


def _is_far(file: FoundFile) -> bool:
    """Whether a list names a file that is not where the list is."""
    return is_url(file.path)


def _all_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return not_empty(file.read())


def _whole(name: str, values: Mapping[str, Any], files: FileStore, path: str) -> SourceRow:
    """The row of a file as it is."""
    return SourceRow(name, values, files.shown(path), file=path if files.is_local else "")
