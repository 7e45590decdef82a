"""Outputs behind a URL, `s3://` for one: what is last is what says that all is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..client.annotate.places import ERRORS, PAGE, REPORT
from ..protocol.errors import InvalidRequest, Unavailable, WherryError
from .hold import StepEnded

#: Small files that are put at once, and their bytes, at most.
_AT_ONCE, _BYTES_AT_ONCE = 100, 32 * 1024 * 1024


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


def upload(
    out: str,
    files: Mapping[str, Path],
    check: Callable[[], None],
    small: Iterable[tuple[str, bytes]] = (),
) -> dict[str, int]:
    """Put files beside `out`. An object appears whole; the report comes last, when all are there.

    `small` are files of a row each, in memory: answers how many bytes each of these has. `check` is
    called before each, and may raise. Raises InvalidRequest for a place that refuses, Unavailable
    for one that is away.
    """
    sizes: dict[str, int] = {}
    with _told(out):
        fs, folder, _ = _opened(out)
        for some in _some_at_a_time(small):
            check()
            fs.pipe({f"{folder}/{name}": content for name, content in some.items()})
            sizes |= {name: len(content) for name, content in some.items()}
        for name in sorted(files, key=lambda name: name.endswith(f".{REPORT}")):
            check()
            fs.put_file(str(files[name]), f"{folder}/{name}")
    return sizes


def _some_at_a_time(files: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """Files, as many as are put at once."""
    some: dict[str, bytes] = {}
    held = 0
    for name, content in files:
        some[name] = content
        held += len(content)
        if len(some) == _AT_ONCE or held >= _BYTES_AT_ONCE:
            yield some
            some, held = {}, 0
    if some:
        yield some


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
