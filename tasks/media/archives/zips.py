"""Zip archives."""

from __future__ import annotations

import contextlib
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, BinaryIO

from ....protocol.errors import InvalidRequest, RowError
from ....protocol.file_words import reason_of
from .members import MOST_RATIO, Members

#: What reading an archive raises that is broken, or none.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)

#: Bytes of an archive's own list of its members, which is read whole: some 500,000 of them.
_LIST_BYTES = 64 * 1024 * 1024

#: Bytes from which a member may not be out of all proportion to what it is packed in.
_FREE_BYTES = 64 * 1024 * 1024

_ENCRYPTED, _UTF8, _FAT, _UNIX = 0x1, 0x800, 0, 3


class ZipMembers(Members[zipfile.ZipInfo]):
    """The files of a zip archive, each unpacked when it is read."""

    def __init__(self, file: BinaryIO, shown: str) -> None:
        """Read the list of members; the file stays open. Raises InvalidRequest."""
        super().__init__(shown)
        try:
            _check_list(file, shown)
            self._archive = zipfile.ZipFile(file)
            size = file.seek(0, 2)
        except DAMAGE as error:
            reason = reason_of(error)
            raise InvalidRequest(f"{shown}: is no zip archive that can be read: {reason}") from None
        unpacked = 0
        for info in self._archive.infolist():
            unpacked += info.file_size
            name = _name(info)
            if not name.endswith("/"):
                self.add(name, info)
        self.check_ratio(unpacked, size)

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        """A member to read, unpacked. Raises RowError, as does who reads it `DAMAGE`."""
        if info.flag_bits & _ENCRYPTED:
            raise RowError("it is encrypted: pack it without a password")
        if info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16):
            raise RowError("it is a link: pack the files themselves")
        if info.file_size > _FREE_BYTES + MOST_RATIO * info.compress_size:
            raise RowError(f"{info.compress_size:,} bytes would unpack to {info.file_size:,}")
        try:
            return self._archive.open(info)
        except NotImplementedError:
            raise RowError("it is packed in an uncommon way: pack it anew, with deflate") from None
        except (*DAMAGE, RuntimeError) as error:
            raise RowError(reason_of(error)) from None


def _check_list(file: BinaryIO, shown: str) -> None:
    """Raise InvalidRequest for a list that would take the memory of a large machine."""
    # zipfile's own, and private: it alone finds the list of every kind of archive.
    find: Callable[[BinaryIO], list[int] | None] = zipfile._EndRecData  # type: ignore[attr-defined] # noqa: SLF001
    end = find(file)
    if end is None:
        raise zipfile.BadZipFile("it has no end of an archive")
    if end[5] > _LIST_BYTES:
        raise InvalidRequest(f"{shown}: its list of members has {end[5]:,} bytes; pack several")


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name, as who packed it meant it."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        # macOS and others write UTF-8 and do not say so; else it is what the standard says.
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    if info.create_system == _FAT:
        name = name.replace("\\", "/")
    return name
