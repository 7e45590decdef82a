"""The files that runs wrote, as their ledger knows them, and whose the files are that are there.

They are told by size and time, or by their digest: one that was edited is its editor's. A link is
told by where it leads: what is there is never read, nor written to.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class WrittenFile(NamedTuple):
    """A file that a run wrote."""

    #: From the ledger's folder, as the system encodes it.
    path: bytes
    digest: bytes
    bytes: int
    mtime_ns: int


class WrittenFiles:
    """What a ledger knows of the files below its folder."""

    def __init__(self, db: sqlite3.Connection, top: Path) -> None:
        self._db, self._top = db, top

    # --- what runs wrote ---

    def places(self, *, new: bool | None = None) -> Iterator[Path]:
        """Every place where runs put a file: of this run, or those that it has nothing for."""
        query = "SELECT DISTINCT path FROM written"
        if new:
            query += " WHERE is_new"
        elif new is False:
            query += " EXCEPT SELECT path FROM written WHERE is_new"
        return (self._top / os.fsdecode(path) for (path,) in self._db.execute(query))

    def begin(self) -> None:
        """Count whatever is noted as an earlier run's."""
        self._db.execute("UPDATE written SET is_new = 0")

    def note(self, file: Path, place: Path) -> bool:
        """Note a file before it is put in its place. Answers whether it is there already."""
        found, digest, known = file.lstat(), digest_of(file), self._known(place)
        same = next((k for k in known if k.digest == digest and _is_at(place, k)), None)
        new = same or WrittenFile(self._noted(place), digest, found.st_size, found.st_mtime_ns)
        self._db.execute("REPLACE INTO written VALUES (?, ?, ?, ?, 1)", new)
        return same is not None

    def end(self) -> None:
        """Forget the earlier runs' files: this run's are in their places."""
        self._db.execute("DELETE FROM written WHERE NOT is_new")

    # --- what is whose ---

    def is_foreign(self, path: Path) -> bool:
        """Whether something is there that no run left as it is."""
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            return True
        same = [file for file in self._known(path) if file.bytes == found.st_size]
        is_link = stat.S_ISLNK(found.st_mode)
        if not is_link and any(file.mtime_ns == found.st_mtime_ns for file in same):
            return False
        return not same or digest_of(path) not in {file.digest for file in same}

    def _known(self, place: Path) -> list[WrittenFile]:
        """What runs put there: more than one after a run that broke off while it did."""
        query = "SELECT path, digest, bytes, mtime_ns FROM written WHERE path = ?"
        return [WrittenFile(*found) for found in self._db.execute(query, (self._noted(place),))]

    def _noted(self, place: Path) -> bytes:
        return os.fsencode(place.relative_to(self._top).as_posix())


def files_below(folder: Path) -> Iterator[Path]:
    """Every file and link below a folder, in no order."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(Path(entry.path))
            else:
                yield Path(entry.path)


def digest_of(path: Path) -> bytes:
    """What tells a file's content, or where a link leads."""
    if path.is_symlink():
        to = b"link to " + os.fsencode(path.readlink())
        return hashlib.blake2b(to, digest_size=16).digest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def _is_at(path: Path, file: WrittenFile) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    at = (found.st_size, found.st_mtime_ns)
    return stat.S_ISREG(found.st_mode) and at == (file.bytes, file.mtime_ns)
