"""Whether an output would lie in its source, or around it. Folders are told by device and inode."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...errors import UsageError
from . import saved
from .archives import archive_in
from .choose import outer_place
from .local_files import LocalFiles
from .spelling import expanded, has_braces, is_glob, split_glob
from .walking import Pattern


def refuse_overlap(spec: str, out: Path, besides: Sequence[Path], *, is_folder: bool) -> None:
    """Raise UsageError where what is written to `out` would be part of the source, or hold it.

    `besides` are files that are written too. A source on another machine cannot overlap.
    """
    files, path = outer_place(spec)
    if not files.is_local:
        return
    if packed := archive_in(files, path):
        path = packed.archive
    found = _overlap(path, out, is_folder=is_folder)
    if found:
        raise UsageError(f"out {str(out)!r} {found} {spec!r}: name one elsewhere")
    for file in besides:
        if Path(path).is_file() and _holds(file, Path(path)):
            raise UsageError(f"the source {spec!r} is a file that is written beside {out}")


def _overlap(path: str, out: Path, *, is_folder: bool) -> str:
    """How they overlap, in words; "" where they do not."""
    whole = Path(path)
    if whole.is_dir():
        return _with_folder(whole, out)
    if whole.is_file():
        return _with_files([path], out)
    folder = path.rpartition("#")[0].rstrip("/")
    if folder and Path(folder).is_dir() and saved.is_saved(LocalFiles(), folder):
        return _with_folder(Path(folder), out)
    if has_braces(path):
        return _with_files(expanded(path), out)
    if is_glob(path):
        return _with_glob(path, out, is_folder=is_folder)
    return _with_files([path.removeprefix("@")], out)


def _with_folder(root: Path, out: Path) -> str:
    for folder in _folders(root):
        if _holds(folder, out):
            return "lies in the source"
        if _holds(out, folder):
            return "is a folder around the source"
    return ""


def _with_files(paths: Iterable[str], out: Path) -> str:
    for path in map(Path, paths):
        if path.exists() and _holds(out, path):
            return "is a folder around the source" if out.is_dir() else "is the source"
    return ""


def _with_glob(path: str, out: Path, *, is_folder: bool) -> str:
    root, glob = split_glob(path)
    if _holds(out, Path(root)):
        return "is a folder around the source"
    if not _holds(Path(root), out):
        return ""
    try:
        below = out.resolve().relative_to(Path(root).resolve())
    except ValueError:  # the same folder by another name
        return "lies in the source"
    pattern = Pattern(glob)
    places = pattern.start()
    for name in below.parts:
        places = pattern.step(places, name)
    reached = bool(places) if is_folder else pattern.whole(places)
    return "would be found by the source" if reached else ""


def _holds(folder: Path, path: Path) -> bool:
    """Whether a path is that folder, or lies below it, whatever links lead there."""
    try:
        identity = _identity(folder)
    except OSError:
        return False
    resolved = path.resolve()
    for above in (resolved, *resolved.parents):
        try:
            if _identity(above) == identity:
                return True
        except OSError:
            continue  # it is not there yet
    return False


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _folders(root: Path) -> Iterator[Path]:
    """A folder, and those that links below it lead to."""
    seen: set[Path] = set()
    left = [root]
    while left:
        folder = left.pop()
        real = folder.resolve()
        if real in seen:
            continue
        seen.add(real)
        yield folder
        left += _linked(folder)


def _linked(root: Path) -> Iterator[Path]:
    for folder, names, _ in os.walk(root):
        names[:] = (name for name in names if not name.startswith("."))  # as sources are read
        yield from (path for name in names if (path := Path(folder, name)).is_symlink())
