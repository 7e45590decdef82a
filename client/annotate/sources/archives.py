"""Archives in what people write: `photos.zip`, `photos.zip/train/*.jpg`, `photos.tar/`.

A tar that is named alone is a shard, whose members are rows; with a slash behind it, it is a
folder.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
import weakref
import zipfile
from typing import BinaryIO, NamedTuple

from ....protocol.errors import InvalidRequest, RowError
from ....protocol.file_words import reason_of
from ....tasks.media.archives.stretch import ReadAt
from ....tasks.media.archives.tars import TarMembers
from ....tasks.media.archives.zips import DAMAGE, ZipMembers
from .files import FileStore
from .packed import PackedFiles, Unpacked
from .stretches import StretchFiles

_ZIP = ".zip"
_INSIDE = re.compile(r"\.(?:zip|tar|tar\.(?:gz|bz2|xz)|tgz|tbz2|txz)/", re.IGNORECASE)


class ArchivePath(NamedTuple):
    """An archive's path, and a path inside of it."""

    archive: str
    inside: str


def archive_in(files: FileStore, path: str) -> ArchivePath | None:
    """The archive that a path leads into, if it does. What is there under the very name is first.

    Raises RowError where a place cannot be asked.
    """
    if files.name_of(path).lower().endswith(_ZIP):
        return ArchivePath(path, "") if files.is_file(path) else None
    for found in _INSIDE.finditer(path):
        above, below = path[: found.end() - 1], path[found.end() :]
        if files.is_file(above):
            return ArchivePath(above, below)
    return None


def open_archive(files: FileStore, path: str) -> FileStore:
    """The files of an archive. Raises InvalidRequest."""
    shown = files.shown(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(files.open(path))
            opened: FileStore
            if files.name_of(path).lower().endswith(_ZIP):
                opened = ZipFiles(ZipMembers(file, shown), files, path)
            else:
                members = TarMembers(file, shown)
                file = members.file
                opened = StretchFiles(members, read_at_of(file), files, path)
        except RowError as error:
            raise InvalidRequest(f"{shown}: {error.message}") from None
        stack.pop_all()
    weakref.finalize(opened, file.close)  # it is read as long as anybody has it
    return opened


class ZipFiles(PackedFiles[zipfile.ZipInfo]):
    """The files of a zip archive."""

    def __init__(self, members: ZipMembers, outer: FileStore | None = None, path: str = "") -> None:
        super().__init__(members, outer, path)
        self._zip = members

    def _opened(self, found: zipfile.ZipInfo) -> io.RawIOBase:
        return Unpacked(self._zip.open(found), found.file_size, DAMAGE)


def read_at_of(file: BinaryIO) -> ReadAt:
    """What reads a file anywhere, for threads that share it. It raises RowError."""
    lock = threading.Lock()

    def read_at(offset: int, size: int) -> bytes:
        with lock:
            try:
                file.seek(offset)
                return file.read(size)
            except OSError as error:
                raise RowError(reason_of(error)) from None

    return read_at
