"""Sources of files: all below a folder, those of a glob, those that a list names, or one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, dropwhile

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ....tasks.tensors import TensorSpec
from .base import Columns
from .file_rows import FileRows
from .files import FileStore
from .first_bytes import HEAD_BYTES, holds
from .kinds import endings, is_many, says_nothing
from .parts import Part
from .sampling import USUAL, WHICH_FRAMES, Sampling
from .text_files import lines
from .walking import EVERYTHING, FoundFile, Pattern, matching, walk


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
