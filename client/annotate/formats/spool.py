"""Text that waits on disk, beside an output, for its turn in it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TextIO, cast

from .text import ERRORS

#: Characters copied at a time.
_CHUNK = 1 << 20


def spool(beside: Path, held: ExitStack) -> TextIO:
    """A file to write and to read, which `held` closes.

    Without a name: it is gone with the process, however that ends.
    """
    file = tempfile.TemporaryFile(  # noqa: SIM115 # held
        "w+", encoding="utf-8", errors=ERRORS, newline="\n", dir=beside.parent
    )
    return cast("TextIO", held.enter_context(file))


def copy_spooled(spooled: IO[str], file: IO[str]) -> None:
    """Write all of it."""
    spooled.flush()
    spooled.seek(0)
    shutil.copyfileobj(spooled, file, _CHUNK)
