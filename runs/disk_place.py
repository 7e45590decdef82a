"""Outputs that are put on a disk as they come: a file is there whole, or not yet."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from ..client.annotate.places import REPORT
from ..protocol.errors import Unavailable
from ..protocol.file_words import reason_of


def put_on_disk(out: str, files: Mapping[str, Path], check: Callable[[], None]) -> None:
    """Copy files beside `out`, each whole; the report comes last, when all are there.

    `check` is called before each, and may raise. Raises Unavailable for a disk that does not take
    them: it may be full, or away.
    """
    folder = Path(out).parent
    try:
        for name in sorted(files, key=lambda name: name.endswith(f".{REPORT}")):
            check()
            _put(files[name], folder / name)
    except OSError as error:
        raise Unavailable(f"{out}: {reason_of(error)}") from error


def _put(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    half = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(file, half)
        with half.open("rb") as copied:
            os.fsync(copied.fileno())
        half.replace(place)
    finally:
        half.unlink(missing_ok=True)
