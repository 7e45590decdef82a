"""A zip archive made as it is sent: a part of one file is all of it that is in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from io import RawIOBase
from typing import Any, cast

#: Level of packing: text shrinks to a tenth, and pictures cost little.
_LEVEL = 1

#: Bytes of a file from which its sizes are written with 8 bytes each.
_LARGE = 1 << 31


class _Sink(RawIOBase):
    """Takes what is written, and cannot go back: so the archive is one that can be streamed."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # any that holds bytes
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


def zipped(files: Iterable[tuple[str, int, Iterator[bytes]]]) -> Iterator[bytes]:
    """Names, sizes and bytes of files as an archive. The same files make the same bytes."""
    sink = _Sink()
    out = cast("Any", sink)  # zipfile asks no more of it
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, size, chunks in files:
            info = zipfile.ZipInfo(name)  # of the first of January 1980
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            info.file_size = size
            with archive.open(info, "w", force_zip64=size >= _LARGE) as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield sink.take()
            yield sink.take()
    yield sink.take()
