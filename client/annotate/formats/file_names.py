"""File names made of rows' ids: safe on every system, one of a kind, and readable.

An id that is a path keeps its folders. What Windows, macOS or Linux would refuse or take for
another place is replaced. A name that is an earlier one's, or differs from it in upper and lower
case or in the form of its accents alone, gets a hash of its id.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from ..sources.kinds import suffixes
from .joining import CannotJoin
from .text import clean

#: Suffixes that a row's file may have; another one takes their place.
_MEDIA = re.compile(
    "|".join(
        re.escape(suffix)
        for suffix in (*suffixes("image"), *suffixes("audio"), *suffixes("text"), ".heic", ".m4a")
    ),
    re.IGNORECASE,
)
#: What Windows refuses in a name, and what does not print.
_REFUSED = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029]')
#: What no system has in a name.
_NEVER = re.compile(r"\0")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
#: Bytes of one part of a name; systems allow 255, and writers append to it.
_MOST_BYTES = 150
#: The same where names are kept that only this system takes.
_MOST_BYTES_HERE = 240
#: Folders in one name.
_MOST_PARTS = 16


class FileNames:
    """Gives out names; what was given is on disk, so that memory stays the same.

    Rows are to come in the same order for the same names.
    """

    def __init__(
        self, *, as_here: bool = False, flat: bool = False, avoided: Collection[str] = ()
    ) -> None:
        """With `as_here` names stay as they are that this system takes, if no other does.

        With `flat` none has a folder; `avoided` are names that a folder must not have.
        """
        self._as_here, self._flat, self._avoided = as_here, flat, frozenset(avoided)
        # A database without a name is a file that SQLite removes by itself.
        self._taken = sqlite3.connect("", isolation_level=None)
        self._taken.execute("PRAGMA journal_mode = OFF")
        self._taken.execute("PRAGMA synchronous = OFF")
        self._taken.execute(
            "CREATE TABLE taken (key TEXT PRIMARY KEY, is_folder INTEGER) WITHOUT ROWID"
        )
        self._taken.execute("BEGIN")
        self._own: set[str] = set()

    def take(self, row_id: str, suffix: str = "", beside: str = "") -> str:
        """The name of a row's file, or of its folder; folders above it are divided by `/`.

        `beside` is the suffix of a file of the same name otherwise, "" for none. Raises ValueError
        for an id that was there before.
        """
        stem = self._safe(row_id)
        digest = hashlib.blake2b(row_id.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
        hashed = f"{stem}-{digest}"
        # The last of them is no folder's, and no two ids have it.
        last = hashed.replace("/", "_").encode()[-_MOST_BYTES:].decode(errors="ignore") + "-"
        for name in (stem, hashed, last):
            if self._reserve(name + suffix) and (not beside or self._reserve(name + beside)):
                return name + suffix
        raise ValueError(f"{row_id!r}: a row of that id was there before")

    def take_own(self, name: str) -> str:
        """The name of a file of all rows, which parts have as well."""
        self._own.add(self._key(name))
        return self.take(name)

    def leave(self, file: Path) -> None:
        """Write what was given, but for files of all rows."""
        found = self._taken.execute("SELECT is_folder, key FROM taken ORDER BY key")
        with file.open("wb") as left:
            for is_folder, key in found:
                if key not in self._own:
                    left.write(b"%d%s\0" % (is_folder, key.encode()))

    def join(self, chunks: Iterator[bytes]) -> None:
        """Take what a part was given. Raises CannotJoin where one of it is taken.

        Then all of it stands as it would have been given here.
        """
        add = "INSERT OR IGNORE INTO taken VALUES (?, ?)"
        for told in _told(chunks):
            files = [(one[1:], 0) for one in told if one[0] == "0"]
            if self._taken.executemany(add, files).rowcount != len(files):
                raise CannotJoin
            folders = [(one[1:], 1) for one in told if one[0] == "1"]
            self._taken.executemany(add, folders)
            for folder, _ in folders:
                if not self._is_folder(folder):
                    raise CannotJoin

    def close(self) -> None:
        """Forget them."""
        self._taken.close()

    def _reserve(self, name: str) -> bool:
        parts = self._key(name).split("/")
        paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        for folder in paths[:-1]:
            self._taken.execute("INSERT OR IGNORE INTO taken VALUES (?, 1)", (folder,))
            if not self._is_folder(folder):
                return False
        added = self._taken.execute("INSERT OR IGNORE INTO taken VALUES (?, 0)", (paths[-1],))
        return added.rowcount == 1

    def _is_folder(self, key: str) -> bool:
        query = "SELECT is_folder FROM taken WHERE key = ?"
        return bool(self._taken.execute(query, (key,)).fetchone()[0])

    @staticmethod
    def _key(name: str) -> str:
        """What two names have in common that some system takes for one."""
        return unicodedata.normalize("NFC", name).casefold()

    def _safe(self, row_id: str) -> str:
        """The name of an id; another id may have the same."""
        make = _part_here if self._as_here else _safe_part
        stem = stem_of(row_id)
        *folders, name = map(make, (stem.replace("/", "_") if self._flat else stem).split("/"))
        folders = [f"_{folder}" if folder in self._avoided else folder for folder in folders]
        return "/".join([*folders, name][-_MOST_PARTS:])


def _told(chunks: Iterator[bytes]) -> Iterator[list[str]]:
    """What `leave` wrote, some at a time."""
    rest = b""
    for chunk in chunks:
        *told, rest = (rest + chunk).split(b"\0")
        yield [one.decode() for one in told]


def stem_of(row_id: str) -> str:
    """An id without the suffix of a picture, sound or text, as text that UTF-8 holds."""
    whole = clean(row_id)
    suffix = _MEDIA.fullmatch(whole, whole.rfind(".")) if "." in whole else None
    return whole[: suffix.start()] if suffix else whole


def _safe_part(part: str) -> str:
    name = _REFUSED.sub("_", part).rstrip(". ")
    name = name.encode()[:_MOST_BYTES].decode(errors="ignore").rstrip(". ")
    if not name or _DEVICES.fullmatch(name):
        return "_" + name
    return name


def _part_here(part: str) -> str:
    name = _NEVER.sub("_", part).encode()[:_MOST_BYTES_HERE].decode(errors="ignore")
    return "_" + name if name in ("", ".", "..") else name
