"""Tar archives as streams, packed or not: members one by one, and no damage overlooked."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Generator
from contextlib import closing
from typing import BinaryIO

from ....protocol.errors import RowError
from ....protocol.file_words import reason_of
from ....tasks.media.archives.tars import DAMAGE, StrictHeader

#: Whether a member of that name should be read.
Wanted = Callable[[str], bool]


def members(file: BinaryIO, wanted: Wanted) -> Generator[tuple[str, bytes | None], None, None]:
    """Names and bytes of the wanted files, in their order; None for a link.

    Raises RowError where the archive breaks off. Closes the file.
    """
    try:
        with closing(file), tarfile.open(fileobj=file, mode="r|*", tarinfo=StrictHeader) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined] # typeshed lacks it; it keeps all
                name = member.name.removeprefix("./")
                if member.isdir() or not wanted(name):
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                yield name, content.read() if content else None
    except DAMAGE as error:
        raise RowError(reason_of(error)) from None
