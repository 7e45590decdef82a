"""Files of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ....protocol.errors import RowError
from ....protocol.file_words import printable_name, reason_of
from .files import FileStore, FileVersion, FolderEntry

#: Bytes of a name, and of a path, at most.
_LONGEST, _LONGEST_PATH = 255, 4095


class LocalFiles(FileStore):
    """This machine's files."""

    @property
    def is_local(self) -> bool:
        """They are."""
        return True

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return not _is_too_long(path) and Path(path).is_file()

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        return not _is_too_long(path) and Path(path or ".").is_dir()

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""
        try:
            return open(path, "rb")  # noqa: PTH123 # Path would intern every name
        except (OSError, ValueError) as error:
            raise RowError(reason_of(error)) from None

    def head(self, path: str, size: int) -> bytes:
        """A file's first bytes. Raises RowError."""
        try:
            return super().head(path, size)
        except OSError as error:
            raise RowError(reason_of(error)) from None

    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError."""
        try:
            with self.open(path) as file:
                return file.read()
        except (OSError, ValueError) as error:
            raise RowError(reason_of(error)) from None

    @contextmanager
    def held(self, path: str) -> Iterator[BinaryIO]:
        """The file itself. Raises RowError."""
        try:
            with self.open(path) as file:
                yield file
        except OSError as error:
            raise RowError(reason_of(error)) from None

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """Files and folders in a folder. Raises RowError."""
        try:
            with os.scandir(folder or ".") as found:
                for entry in found:
                    kind = _kind(entry)
                    if kind is not None:
                        yield FolderEntry(entry.name, kind)
        except OSError as error:
            raise RowError(reason_of(error)) from None

    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""
        return os.path.join(folder, path).replace(os.sep, "/")  # noqa: PTH118 # Path loses "./"

    def identity(self, folder: str) -> Hashable | None:
        """Its device and inode."""
        try:
            status = Path(folder or ".").stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def version(self, path: str) -> FileVersion | None:
        """Its size and times: a file that was renamed here is as new as one that was written."""
        try:
            found = Path(path).stat()
        except (OSError, ValueError):
            return None
        now = time.time()
        # A clock that was set wrong dates files into the future.
        changed = max((at for at in (found.st_mtime, found.st_ctime) if at <= now), default=now)
        return FileVersion(f"{found.st_size}-{found.st_mtime_ns}", changed)

    def shown(self, path: str) -> str:
        """As valid text."""
        return printable_name(path)


def _is_too_long(path: str) -> bool:
    """Whether nothing can be called so, which Linux calls an error."""
    encoded = os.fsencode(path)
    return max(map(len, encoded.split(b"/"))) > _LONGEST or len(encoded) > _LONGEST_PATH


def _kind(entry: os.DirEntry[str]) -> bool | None:
    """Whether it is a folder; None for what is neither folder nor file: a pipe would block."""
    try:
        if entry.is_dir():
            return True
        # A link to nothing counts as a file: that it cannot be read is worth telling.
        return False if entry.is_file() or entry.is_symlink() else None
    except OSError:  # a link to itself
        return False
