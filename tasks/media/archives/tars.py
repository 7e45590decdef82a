"""Tar archives, packed or not: their headers are read once, their files when they are asked for."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Mapping
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Self

from ....protocol.errors import InvalidRequest
from ....protocol.file_words import reason_of
from .members import FREE_BYTES, MOST_RATIO, Members
from .stretch import Stretch

#: What reading an archive raises that is broken, or none.
DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError)

#: Bytes that are unpacked at a time.
_UNPACKED_BYTES = 1 << 20

#: How packed archives begin, and what unpacks them.
_PACKED: Mapping[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}


class TarMembers(Members[Stretch]):
    """The files of a tar archive: stretches of `file`."""

    def __init__(self, file: BinaryIO, shown: str) -> None:
        """Read all headers, and first unpack it to disk if it is packed. Raises InvalidRequest."""
        super().__init__(shown)
        try:
            self.file = _unpacked(file, shown)
            with tarfile.open(fileobj=self.file, mode="r:", tarinfo=StrictHeader) as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined] # typeshed lacks it; it keeps all
                    self._note(member)
        except DAMAGE as error:
            reason = reason_of(error)
            raise InvalidRequest(f"{shown}: is no tar archive that can be read: {reason}") from None

    def _note(self, member: tarfile.TarInfo) -> None:
        if member.isdir():
            return
        if member.issparse():
            where = Stretch(0, 0, "it is stored with holes: pack it anew, without --sparse")
        elif member.isreg():
            where = Stretch(member.offset_data, member.size)
        elif member.islnk():  # the same file by another name, which came before
            parts = (part for part in member.linkname.split("/") if part not in ("", "."))
            gone = Stretch(0, 0, "it is a link to what is not in the archive")
            where = self.found.get("/".join(parts), gone)
        elif member.issym():
            where = Stretch(0, 0, "it is a link: pack the files themselves")
        else:
            self.left_out["devices and pipes"] += 1
            return
        self.add(member.name, where)


class StrictHeader(tarfile.TarInfo):
    """A header that is broken or missing is an error anywhere, not the archive's quiet end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """Read one. Raises ReadError."""
        try:
            return super().fromtarfile(tarfile)
        except _EOF:
            raise
        except _HEADER as error:
            raise _READ(str(error)) from None


_EOF: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined] # typeshed lacks it
_HEADER, _READ = tarfile.HeaderError, tarfile.ReadError


def _unpacked(file: BinaryIO, shown: str) -> BinaryIO:
    """The archive itself; one that is packed, unpacked to disk. Raises InvalidRequest."""
    head = file.read(6)
    size = file.seek(0, 2)
    file.seek(0)
    unpack = next((opened for magic, opened in _PACKED.items() if head.startswith(magic)), None)
    if unpack is None:
        return file
    near: BinaryIO = TemporaryFile()  # noqa: SIM115 # it is the archive from now on
    most = FREE_BYTES + MOST_RATIO * size
    try:
        with file, unpack(file) as unpacked:
            while data := unpacked.read(_UNPACKED_BYTES):
                near.write(data)
                if near.tell() > most:
                    raise InvalidRequest(
                        f"{shown}: {size:,} bytes would unpack to over {most:,}: unpack it "
                        "yourself, if you trust it"
                    )
    except BaseException:
        near.close()
        raise
    near.seek(0)
    return near
