"""Tar archives as streams, packed or not: members one by one, and no damage overlooked."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from typing import BinaryIO, Self

from ....protocol.errors import RowError
from .files import reason_of

#: Whether a member of that name should be read.
Wanted = Callable[[str], bool]


def members(file: BinaryIO, wanted: Wanted) -> Generator[tuple[str, bytes | None], None, None]:
    """Names and bytes of the wanted files, in their order; None for a link.

    Raises RowError where the archive breaks off. Closes the file.
    """
    try:
        with closing(file), tarfile.open(fileobj=file, mode="r|*", tarinfo=_Strict) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined] # typeshed lacks it; it keeps all
                name = member.name.removeprefix("./")
                if member.isdir() or not wanted(name):
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                yield name, content.read() if content else None
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise RowError(reason_of(error)) from None


class _Strict(tarfile.TarInfo):
    """A header that is broken or missing is an error anywhere, not the archive's quiet end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except _EOF:
            raise
        except _HEADER as error:
            raise _READ(str(error)) from None


_EOF: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined] # typeshed lacks it
_HEADER, _READ = tarfile.HeaderError, tarfile.ReadError
