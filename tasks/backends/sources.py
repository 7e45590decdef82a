"""Where a model's files are: a folder, what a package holds, or a hub's id."""

from __future__ import annotations

from pathlib import Path

from ..locate import locate
from .base import ModelRefused


def opened(source: str) -> str:
    """A source as runtimes take it, seen from the current folder: a path that is there, or an id.

    Raises ModelRefused for a path that is not there, which must never be asked of a hub, and for a
    package that is not installed.
    """
    try:
        located = locate(source, Path())
    except ValueError as error:
        raise ModelRefused(f"source {source!r}: {error}: install what brings it") from None
    if Path(located).is_absolute() and not Path(located).exists():
        raise ModelRefused(f"source {source!r}: there is no folder {located}")
    return located


def opened_folder(source: str | None, holds: str) -> Path:
    """The folder of a source that no hub is asked for, which holds that. Raises ModelRefused."""
    if not source:
        raise ModelRefused(f"no source is given: expected a folder with {holds}")
    folder = Path(opened(source))
    if not folder.is_dir():
        is_file = "a file" if folder.is_file() else "no folder"
        raise ModelRefused(f"source {source!r} is {is_file}: expected a folder with {holds}")
    return folder
