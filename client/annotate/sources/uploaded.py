"""Data sets that were sent to a fleet: files, or an archive, whose bytes are one stretch."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from ....tasks.media.archives.members import Members
from ....tasks.media.archives.stretch import ReadAt, Stretch, StretchReader
from ....tasks.media.archives.tars import TarMembers
from ....tasks.media.archives.zips import ZipMembers
from .archives import ZipFiles, read_at_of
from .packed import PackedFiles
from .stretches import StretchFiles

#: Bytes of an archive that are read at once.
_BUFFER_BYTES = 1 << 18


def uploaded_files(
    shown: str, files: Iterable[tuple[str, int, int]], read_at: ReadAt
) -> PackedFiles[Any]:  # Any: members of one kind or the other
    """Files by their names, where they begin, and their sizes. They name none but each other."""
    members = Members[Stretch](shown)
    for name, offset, size in files:
        members.add(name, Stretch(offset, size))
    return StretchFiles(members, read_at)


def uploaded_archive(shown: str, kind: str, size: int, read_at: ReadAt) -> PackedFiles[Any]:
    """The files of a `zip` or a `tar`. Raises InvalidRequest for one that cannot be read."""
    file = io.BufferedReader(StretchReader(Stretch(0, size), read_at), _BUFFER_BYTES)
    if kind == "zip":
        return ZipFiles(ZipMembers(file, shown))
    members = TarMembers(file, shown)
    return StretchFiles(members, read_at if members.file is file else read_at_of(members.file))
