"""The rows' pictures, for formats that have them beside their annotations.

A picture is kept when its row is read, since the writer comes to it when all rows are answered: as
a link to the row's file, or as the bytes that were sent. It gets to its place by a rename.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ...protocol.errors import RowError
from ...tasks.media.signatures import signature
from .sources.kinds import suffix_of

#: Pictures in one folder of those that wait.
_IN_A_FOLDER = 4096

#: The brand of a file of boxes -> how its name may end, the usual first.
_BRANDS = {
    b"avif": (".avif",),
    b"avis": (".avif",),
    b"heic": (".heic", ".heif"),
    b"heix": (".heic", ".heif"),
    b"mif1": (".heif", ".heic", ".avif"),
}
#: Bytes that tell.
_HEAD = 16


class Pictures:
    """Keeps pictures by their rows' places in the source until a writer takes them."""

    def __init__(self, folder: Path, *, link: bool) -> None:
        """`folder` is for it to make. With `link` a file of this machine is not copied."""
        self._folder, self._link = folder, link

    def keep(self, index: int, data: bytes, file: str) -> None:
        """Keep a row's picture; `file` is this machine's that holds it, "" for none."""
        place = self._place(index)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not (self._link and file and _linked(place, file, len(data))):
            place.write_bytes(data)

    def suffix(self, index: int, name: str) -> str:
        """How a picture's name is to end, by what it holds: as `name` does, where that is right.

        Raises RowError where there is no picture.
        """
        try:
            with self._place(index).open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise RowError(f"its picture is not there any more: {error.strerror}") from None
        given = suffix_of(name)
        usual = _suffixes(head)
        return given if given in usual or not usual else usual[0]

    def take(self, index: int, place: Path) -> None:
        """Put a row's picture in its place."""
        place.parent.mkdir(parents=True, exist_ok=True)
        self._place(index).replace(place)

    def close(self) -> None:
        """Remove those that nobody took."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _place(self, index: int) -> Path:
        return self._folder / str(index // _IN_A_FOLDER) / str(index)


def _linked(place: Path, file: str, size: int) -> bool:
    """Link to a file, if it is the picture still and the disk has links."""
    try:
        if os.stat(file).st_size != size:  # noqa: PTH116 # it may be no valid text
            return False
        place.symlink_to(os.path.abspath(file))  # noqa: PTH100 # links on the way stay
    except OSError:
        return False
    return True


def _suffixes(head: bytes) -> tuple[str, ...]:
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], ())
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return (".webp",)
    found = signature(head)
    return found.suffixes if found else ()
