"""Outputs that are copied to their place, `s3://` for one: what is last says that all is there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..client.annotate.places import ERRORS, PAGE, REPORT
from ..protocol.errors import InvalidRequest, Unavailable, WherryError
from .hold import StepEnded


def refuse_taken(out: str) -> None:
    """Raise InvalidRequest where an output, or what comes beside it, is there already.

    Unavailable for a place that is away.
    """
    with _told(out):
        fs, folder, name = _opened(out)
        for suffix in ("", *(f".{beside}" for beside in (ERRORS, REPORT, PAGE))):
            if fs.exists(f"{folder}/{name}{suffix}"):
                raise InvalidRequest(
                    f"{out}{suffix}: is there: move it, name another output, or let `overwrite` "
                    "replace it"
                )


def is_taken(folder: str) -> bool:
    """Whether there is anything of that name, or below it. Raises as `refuse_taken` does."""
    with _told(folder):
        fs, above, name = _opened(folder)
        return bool(fs.exists(f"{above}/{name}"))


def try_place(out: str) -> None:
    """Raise InvalidRequest where nothing can be written beside an output: a night would be lost.

    Unavailable for a place that is away.
    """
    with _told(out):
        fs, folder, _ = _opened(out)
        if _is_disk(fs):
            fs.makedirs(folder, exist_ok=True)
        file = f"{folder}/.wherry-{secrets.token_hex(8)}"
        fs.pipe_file(file, b"")
        with suppress(PermissionError):  # who may write need not be one who may remove
            fs.rm_file(file)


def upload(out: str, files: Mapping[str, Path], check: Callable[[], None]) -> None:
    """Put files beside `out`. An object appears whole; the report comes last, when all are there.

    `check` is called before each, and may raise. Raises InvalidRequest for a place that refuses,
    Unavailable for one that is away.
    """
    with _told(out):
        fs, folder, _ = _opened(out)
        for name in sorted(files, key=lambda name: name.endswith(f".{REPORT}")):
            check()
            _put(fs, files[name], f"{folder}/{name}")


def _put(fs: Any, file: Path, place: str) -> None:  # Any: fsspec has no types
    """Put a file to its place, whole: on a disk beside, then renamed."""
    if not _is_disk(fs):
        fs.put_file(str(file), place)
        return
    folder, _, name = place.rpartition("/")
    fs.makedirs(folder, exist_ok=True)
    half = Path(folder, f".{name}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(file, half)
        with half.open("rb") as copied:
            os.fsync(copied.fileno())
        half.replace(place)
    finally:
        half.unlink(missing_ok=True)


def _is_disk(fs: Any) -> bool:  # Any: fsspec has no types
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def _opened(out: str) -> tuple[Any, str, str]:
    """The file system of a place, the folder above it there, and its name."""
    from fsspec.core import url_to_fs

    above, _, name = out.rstrip("/").rpartition("/")
    fs, folder = url_to_fs(above, use_listings_cache=False)
    return fs, folder, name


@contextmanager
def _told(out: str) -> Iterator[None]:
    try:
        yield
    except (WherryError, StepEnded):
        raise
    except (ImportError, ValueError, PermissionError, FileNotFoundError) as error:
        raise InvalidRequest(f"{out}: {error}") from None
    except Exception as error:  # each file system has its own network errors
        raise Unavailable(f"{out}: {error}") from error
