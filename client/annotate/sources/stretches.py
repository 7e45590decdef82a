"""Files that lie as they are inside another: each is a stretch of it."""

from __future__ import annotations

import io

from ....protocol.errors import RowError
from ....tasks.media.archives.members import Members
from ....tasks.media.archives.stretch import ReadAt, Stretch, StretchReader
from .files import FileStore
from .packed import PackedFiles


class StretchFiles(PackedFiles[Stretch]):
    """Files that are stretches of one."""

    def __init__(
        self,
        members: Members[Stretch],
        read_at: ReadAt,
        outer: FileStore | None = None,
        path: str = "",
    ) -> None:
        super().__init__(members, outer, path)
        self._read_at = read_at

    def _opened(self, found: Stretch) -> io.RawIOBase:
        if found.reason:
            raise RowError(found.reason)
        return StretchReader(found, self._read_at)
