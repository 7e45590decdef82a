"""Lines of a file, packed or not, in constant memory however long they are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator
from contextlib import closing
from io import TextIOWrapper
from typing import BinaryIO, cast

from ....protocol.errors import RowError
from ....protocol.file_words import reason_of
from .files import FileStore
from .kinds import is_gzip
from .parts import Start

#: Bytes a line may have: photographs in base64 fit, a file without line ends is not read whole.
MAX_LINE_BYTES = 256 * 1024 * 1024

_ENDS = ("\n", "\r")
_BOM = b"\xef\xbb\xbf"


def lines(
    files: FileStore, path: str, *, most: int = MAX_LINE_BYTES, offset: int = 0
) -> Generator[bytes | None, None, None]:
    """A file's lines with their ends, without a byte order mark; None for one that is too long.

    Lines end with LF, CRLF or CR. `offset` is where the first of them begins. Raises RowError when
    the file breaks off.
    """
    # Latin-1 is bytes in the form of text, which Python knows how to divide into lines.
    with closing(_opened(files, path)) as file:
        if offset:
            file.seek(offset)
        yield from _lines_of(file, most, is_first=not offset)


def line_starts(files: FileStore, path: str) -> Generator[tuple[bytes | None, Start], None, None]:
    """The same lines, each with where it begins; no bytes where that cannot be told."""
    byte, is_told = 0, not is_gzip(files.name_of(path))
    for number, line in enumerate(lines(files, path), start=1):
        yield line, Start(byte=byte if is_told else 0, line=number)
        if line is None:
            is_told = False
        elif is_told:
            if number == 1 and files.head(path, len(_BOM)) == _BOM:
                byte = len(_BOM)
            byte += len(line)


def _lines_of(file: BinaryIO, most: int, *, is_first: bool) -> Generator[bytes | None, None, None]:
    with TextIOWrapper(file, "latin-1", newline="") as text:
        try:
            first = is_first
            while line := text.readline(most):
                if len(line) == most and not line.endswith(_ENDS):
                    _skip_line(text)
                    yield None
                else:
                    data = line.encode("latin-1")
                    yield _unmarked(data) if first else data
                first = False
        except (OSError, EOFError, zlib.error) as error:
            raise RowError(reason_of(error)) from None


def _unmarked(line: bytes) -> bytes:
    """A file's first line without a byte order mark. Raises RowError for UTF-16's."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RowError("it is UTF-16 text: save it as UTF-8")
    return line.removeprefix(_BOM)


def _skip_line(text: TextIOWrapper) -> None:
    """Read to the line's end without keeping it."""
    while (part := text.readline(1 << 20)) and not part.endswith(_ENDS):
        pass


def _opened(files: FileStore, path: str) -> BinaryIO:
    file = files.open(path)
    return cast("BinaryIO", _Unpacked(file)) if is_gzip(files.name_of(path)) else file


class _Unpacked(gzip.GzipFile):
    """Closes the packed file too."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed)
        self._packed_file = packed

    def close(self) -> None:
        """Close both."""
        super().close()
        self._packed_file.close()
