"""Folders that are watched: their files as they come, each a row, told apart by what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ....protocol.errors import InvalidRequest, RowError
from ....tasks.base import Task
from ...errors import UsageError
from .base import Columns, Source
from .choose import PlaceOf
from .file_rows import FileRows
from .files import FileStore, FileVersion, is_web
from .folder import FolderSource
from .hub_spelling import is_hub
from .kinds import is_film, kind_of
from .queries import is_database
from .sampling import Sampling
from .spelling import is_glob, split_glob
from .walking import FoundFile, matching, walk

#: How names end of what is being written, or copied, and will have another one.
_HALF = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", "~")

#: How folders and files end that are whole data sets.
_WHOLE = (".lance", ".zip")

_WATCHED = "follow: watches a folder or a glob of files, on a disk or behind s3://, gs://, az://"


class WatchedFile(NamedTuple):
    """A file that is there, and what it is now."""

    path: str
    version: FileVersion


class WatchedFolder(FolderSource):
    """A folder, or the files of a glob, empty or not."""

    def __init__(
        self, task: Task, columns: Columns, files: FileStore, root: str, pattern: str = ""
    ) -> None:
        super().__init__(task, columns, files, root, pattern=pattern, may_be_empty=True)
        #: The last path that the last listing met, where keys are flat.
        self.last_met = ""
        #: Why a folder in it cannot be listed, as the last listing met it; "" for none.
        self.trouble = ""

    def watched(self, after: str = "") -> Iterator[WatchedFile]:
        """The files that may be rows, in the order of their paths; counts those left out.

        Where keys are flat, only those behind `after`. Raises RowError for a place that cannot be
        listed, Unavailable for one that is away.
        """
        self.left_out.clear()
        self.trouble = self.last_met = ""
        keys = self._files.versions(self._root, after)
        if keys is None:
            yield from self._walked()
            return
        for path, version in keys:
            self.last_met = path
            if matching(self._pattern, self._may_fit, path):
                yield WatchedFile(path, version)

    def _walked(self) -> Iterator[WatchedFile]:
        for found in walk(self._files, self._root, self._pattern, self._may_fit):
            if found.reason and not found.path:
                raise RowError(found.reason)
            if found.reason:
                self.trouble = f"{found.path}: {found.reason}"
                continue
            version = self._files.version(self._files.join(self._root, found.path))
            if version:  # else it is gone again
                yield WatchedFile(found.path, version)

    def _may_fit(self, name: str) -> bool:
        if self._ends and name.lower().endswith(_HALF):  # a glob that names a suffix means it
            self.leave_out(name)
            return False
        return super()._may_fit(name)

    def is_row(self, path: str) -> bool:
        """Whether a file that may be a row is one: by its first bytes if its name says nothing."""
        return self._fits(path) or self._holds(path)

    @property
    def is_flat(self) -> bool:
        """Whether what is behind a path can be listed alone."""
        return self._files.versions(self._root) is not None

    def listed(self, files: Callable[[], Iterable[FoundFile]]) -> Source:
        """The rows of some of its files."""
        return _ListedRows(self.task, self.columns, self._files, self._root, files)


class _ListedRows(FileRows):
    """Files of a folder by a list of its owner's."""

    def __init__(
        self,
        task: Task,
        columns: Columns,
        files: FileStore,
        root: str,
        listed: Callable[[], Iterable[FoundFile]],
    ) -> None:
        super().__init__(task, columns, files, root)
        self._listed = listed

    def list_files(self) -> Iterable[FoundFile]:
        """The files, in their order."""
        return self._listed()


def version_id(path: str, times: int) -> str:
    """What the row of a file is called that was found new so often.

    The second is `a.jpg@2`. A path that ends so itself has `@1` behind it: no two are called alike.
    """
    _, at, number = path.rpartition("@")
    return f"{path}@{times}" if times > 1 or (at and number.isdecimal()) else path


def open_watched(
    spec: str, task: Task, columns: Columns, sampling: Sampling, place: PlaceOf
) -> WatchedFolder:
    """The folder that `spec` names. Raises InvalidRequest, UsageError for what is not watched."""
    if sampling.asked:
        raise UsageError("every, frames: do not go with follow: each file is one row")
    if is_hub(spec) or is_web(spec) or is_database(spec):  # before it is asked for: it may be away
        raise InvalidRequest(f"{spec}: does not grow by files; {_WATCHED}")
    try:
        files, path = place(spec)
        root, pattern = _split(files, path)
        return WatchedFolder(task, columns, files, root, pattern)
    except RowError as error:
        raise InvalidRequest(f"{spec}: {error.message}") from None


def refuse_unwatched(spec: str, place: PlaceOf) -> None:
    """Raise InvalidRequest for what is no folder now, or has other rows than files."""
    try:
        files, path = place(spec)
        _refuse_unwatched(spec, files, *_split(files, path))
    except RowError as error:
        raise InvalidRequest(f"{spec}: {error.message}") from None


def _split(files: FileStore, path: str) -> tuple[str, str]:
    """The folder that a path names, and a glob as seen from there."""
    if is_glob(path) and not files.is_folder(path):
        return split_glob(path)
    return path.rstrip("/") or path[:1], ""


def _refuse_unwatched(spec: str, files: FileStore, root: str, pattern: str) -> None:
    is_table = kind_of(pattern) not in (None, "text") or spec.rstrip("/").lower().endswith(_WHOLE)
    if is_table or is_film(pattern):
        raise InvalidRequest(
            f"{spec}: {_WATCHED}, each of which is one row: tables, shards, archives and films are"
            " not"
        )
    if files.is_file(root) or files.holder:
        raise InvalidRequest(f"{spec}: is a file; {_WATCHED}")
    if files.versions(root) is not None:
        return  # a prefix is there once an object is
    if not files.is_folder(root):
        raise InvalidRequest(f"{spec}: there is no such folder; {_WATCHED}")
    if files.version(root) is None:
        raise InvalidRequest(f"{spec}: {_WATCHED}")
