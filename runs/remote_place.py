"""Outputs behind a URL, `s3://` for one: what is last is what says that all is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..client.annotate.places import ERRORS, PAGE, REPORT
from ..protocol.errors import InvalidRequest, Unavailable, WherryError
from .hold import StepEnded

#: What comes to lie beside an output, by what follows its name.
BESIDE = (ERRORS, REPORT, PAGE)


def refuse_taken(out: str) -> None:
    """Raise InvalidRequest where an output, or what comes beside it, is there already.

    Unavailable for a place that is away.
    """
    with _told(out):
        fs, folder, name = _opened(out)
        for suffix in ("", *(f".{beside}" for beside in BESIDE)):
            if fs.exists(f"{folder}/{name}{suffix}"):
                raise InvalidRequest(
                    f"{out}{suffix}: is there: move it, name another output, or let `overwrite` "
                    "replace it"
                )


def try_place(out: str) -> None:
    """Raise InvalidRequest where nothing can be written beside an output: a night would be lost.

    Unavailable for a place that is away.
    """
    with _told(out):
        fs, folder, _ = _opened(out)
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
            fs.put_file(str(files[name]), f"{folder}/{name}")


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
