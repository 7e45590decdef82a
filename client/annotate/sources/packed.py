"""Files inside one file: which there are is known as soon as it is opened."""

from __future__ import annotations

import io
import posixpath
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Generic, TypeVar

from ....protocol.errors import RowError
from ....protocol.file_words import printable_name, reason_of
from ....tasks.media.archives.members import Members
from ....tasks.media.archives.sized import SizedReader
from .files import FileStore, FolderEntry, is_web

T = TypeVar("T")

#: What is read of a member at once.
_BUFFER_BYTES = 1 << 18


class PackedFiles(FileStore, Generic[T]):
    """Files by their paths below the whole, whose own path is ""."""

    def __init__(self, members: Members[T], outer: FileStore | None = None, path: str = "") -> None:
        """`path` is where the whole lies in `outer`; without, its tables name but its own files."""
        self._members, self._outer = members, outer
        #: What web servers give, for a whole that lies nowhere else.
        self.web: FileStore | None = None
        self._holder = path if outer is not None and outer.is_local else ""
        self._folders: dict[str, dict[FolderEntry, None]] = {"": {}}
        for name in members.found:
            self._note(name)

    def _note(self, path: str) -> None:
        """Note a file in its folder, and that in the one above."""
        is_folder = False
        while path:
            above, _, base = path.rpartition("/")
            entry, inside = FolderEntry(base, is_folder), self._folders.setdefault(above, {})
            if entry in inside:
                return
            inside[entry] = None
            path, is_folder = above, True

    @property
    def is_near(self) -> bool:
        """They are, as far as it is."""
        return True

    @property
    def holder(self) -> str:
        """The file that holds them."""
        return self._holder

    @property
    def passed_over(self) -> Mapping[str, int]:
        """Members that are no files of anybody's."""
        return self._members.left_out

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return _plain(path) in self._members.found

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        return _plain(path) in self._folders

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""
        found = self._members.found.get(_plain(path))
        if found is None:
            raise RowError("there is no such file")
        return io.BufferedReader(self._opened(found), _BUFFER_BYTES)

    @abstractmethod
    def _opened(self, found: T) -> io.RawIOBase:
        """A file's bytes. It raises RowError, here and later."""

    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError."""
        with self.open(path) as file:
            return file.read()

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """What a folder holds. Raises RowError."""
        if _plain(folder) not in self._folders:
            raise RowError("there is no such folder")
        yield from self._folders[_plain(folder)]

    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""
        return posixpath.normpath(posixpath.join(folder, path))

    def shown(self, path: str) -> str:
        """Behind the name of the whole."""
        path = _plain(path)
        shown = self._members.shown
        return f"{shown}/{printable_name(path)}" if path else shown

    @property
    def fetches(self) -> bool:
        """As where the whole lies."""
        outer = self.web if self._outer is None else self._outer
        return outer is not None and outer.fetches

    def elsewhere(self, url: str) -> tuple[FileStore, str]:
        """As from where the whole lies. Raises RowError, InvalidRequest."""
        if self._outer is None and self.web is not None and is_web(url):
            return self.web, url
        if self._outer is None:
            raise RowError("a URL leads out of what was sent: send the files along")
        return self._outer.elsewhere(url)


def _plain(path: str) -> str:
    path = path.rstrip("/")
    return "" if path == "." else path.removeprefix("./")


class Unpacked(SizedReader):
    """A member that is read as a stream, and copied to disk once somebody jumps in it."""

    def __init__(self, file: IO[bytes], size: int, damage: tuple[type[Exception], ...]) -> None:
        """Damage that is met while it is read becomes a RowError that tells of it."""
        super().__init__(size)
        self._file, self._damage, self._is_near = file, damage, False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in it. Raises RowError."""
        at = self._place(offset, whence)
        if at != self._at:
            self._fetch()
            self._at = self._file.seek(at)
        return self._at

    def readinto(self, buffer: Any) -> int:  # any that can be written to
        """Read on. Raises RowError."""
        view = memoryview(buffer).cast("B")
        data: bytes = self._guarded(lambda: self._file.read(len(view)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close it, and what it is read from."""
        if not self.closed:
            self._file.close()
        super().close()

    def _fetch(self) -> None:
        """Have all of it on disk."""
        if self._is_near:
            return
        near = TemporaryFile()  # noqa: SIM115 # closed with this
        try:
            self._guarded(lambda: self._file.seek(0))
            self._guarded(lambda: shutil.copyfileobj(self._file, near))
        except BaseException:
            near.close()
            raise
        self._file.close()
        self._file, self._is_near = near, True

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except self._damage as error:
            raise RowError(reason_of(error)) from None
