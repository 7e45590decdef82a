"""Text that waits on disk, beside an output, for its turn in it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from .text import ERRORS

#: Characters copied at a time.
_CHUNK = 1 << 20


def spool(beside: Path, held: ExitStack) -> IO[str]:
    """A file to write and to read, which `held` closes.

    Without a name: it is gone with the process, however that ends.
    """
    return held.enter_context(
        tempfile.TemporaryFile(
            "w+", encoding="utf-8", errors=ERRORS, newline="\n", dir=beside.parent
        )
    )


def copy_spooled(spooled: IO[str], file: IO[str]) -> None:
    """Write all of it."""
    spooled.flush()
    spooled.seek(0)
    shutil.copyfileobj(spooled, file, _CHUNK)
