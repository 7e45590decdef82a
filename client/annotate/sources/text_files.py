"""Lines of a file, packed or not, in constant memory however long they are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator
from contextlib import closing
from typing import BinaryIO, cast

from ....protocol.errors import RowError
from .files import Files, reason_of
from .kinds import is_gzip

#: Bytes a line may have: photographs in base64 fit, a file without line ends is not read whole.
MAX_LINE_BYTES = 256 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


def lines(
    files: Files, path: str, *, most: int = MAX_LINE_BYTES
) -> Generator[bytes | None, None, None]:
    """A file's lines with their ends, without a byte order mark; None for one that is too long.

    Raises RowError when the file breaks off.
    """
    with closing(_opened(files, path)) as file:
        try:
            first = True
            while line := file.readline(most):
                if len(line) == most and not line.endswith(b"\n"):
                    _skip_line(file)
                    yield None
                else:
                    yield line.removeprefix(_BOM) if first else line
                first = False
        except (OSError, EOFError, zlib.error) as error:
            raise RowError(reason_of(error)) from None


def _skip_line(file: BinaryIO) -> None:
    """Read to the line's end without keeping it."""
    while (part := file.readline(1 << 20)) and not part.endswith(b"\n"):
        pass


def _opened(files: Files, path: str) -> BinaryIO:
    file = files.open(path)
    return cast("BinaryIO", _Unpacked(file)) if is_gzip(path) else file


class _Unpacked(gzip.GzipFile):
    """Closes the packed file too."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed)
        self._packed_file = packed

    def close(self) -> None:
        """Close both."""
        super().close()
        self._packed_file.close()
