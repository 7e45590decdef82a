"""Outputs behind a URL, `s3://` for one: what is last is what says that all is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..client.annotate.places import ERRORS, PAGE, REPORT
from ..client.annotate.sources.ahead import ahead
from ..client.annotate.sources.refusals import refused
from ..client.annotate.sources.remote import file_system, is_same
from ..protocol.errors import InvalidRequest, Unavailable, WherryError
from .hold import StepEnded

#: Files that are put there at a time: an output may have as many as the source has rows.
_AT_ONCE = 8

#: Small files that are put at once, and their bytes, at most.
_SMALL, _SMALL_BYTES = 100, 32 * 1024 * 1024

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


def upload(
    out: str,
    files: Mapping[str, Path],
    check: Callable[[], None],
    small: Iterable[tuple[str, bytes]] = (),
) -> dict[str, int]:
    """Put files beside `out`, several at a time.

    An object appears whole; the report comes last, when all others are there.

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

        def put(name: str) -> None:
            fs.put_file(str(files[name]), f"{folder}/{name}")

        def checked(names: Iterable[str]) -> Iterator[str]:
            for name in names:
                check()
                yield name

        reports = [name for name in files if name.endswith(f".{REPORT}")]
        for names in ([name for name in files if name not in reports], reports):
            for _ in ahead(checked(names), put, _AT_ONCE):
                pass
    return sizes


def _some_at_a_time(files: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """Files, as many as are put at once."""
    some: dict[str, bytes] = {}
    held = 0
    for name, content in files:
        some[name] = content
        held += len(content)
        if len(some) == _SMALL or held >= _SMALL_BYTES:
            yield some
            some, held = {}, 0
    if some:
        yield some


def _opened(out: str) -> tuple[Any, str, str]:
    """The file system of a place, the folder above it there, and its name."""
    above, _, name = out.rstrip("/").rpartition("/")
    fs, folder = file_system(above)
    if not is_same(fs, f"{folder}/{name}"):
        raise InvalidRequest(f"out {out!r}: a name with both ? and # in it cannot be written there")
    return fs, folder, name


@contextmanager
def _told(out: str) -> Iterator[None]:
    try:
        yield
    except (WherryError, StepEnded):
        raise
    except (ImportError, ValueError, PermissionError, FileNotFoundError) as error:
        raise InvalidRequest(f"{out}: {error}") from None
    except Exception as error:  # each file system has its own errors, of the network and others
        if refused(error):
            raise InvalidRequest(f"{out}: {str(error).partition(chr(10))[0]}") from None
        raise Unavailable(f"{out}: {error}") from error
