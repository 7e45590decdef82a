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

from ..sources.kinds import suffixes
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
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
#: Bytes of one part of a name; systems allow 255, and writers append to it.
_MOST_BYTES = 150
#: Folders in one name.
_MOST_PARTS = 16


class FileNames:
    """Gives out names; what was given is on disk, so that memory stays the same.

    Rows are to come in the same order for the same names.
    """

    def __init__(self) -> None:
        # A database without a name is a file that SQLite removes by itself.
        self._taken = sqlite3.connect("", isolation_level=None)
        self._taken.execute("PRAGMA journal_mode = OFF")
        self._taken.execute("PRAGMA synchronous = OFF")
        self._taken.execute(
            "CREATE TABLE taken (key TEXT PRIMARY KEY, is_folder INTEGER) WITHOUT ROWID"
        )
        self._taken.execute("BEGIN")

    def take(self, row_id: str, suffix: str = "") -> str:
        """The name of a row's file, or of its folder; folders above it are divided by `/`."""
        stem = _safe(row_id)
        digest = hashlib.blake2b(row_id.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
        hashed = f"{stem}-{digest}"
        # The last of them is no folder's, and no two ids have it.
        last = hashed.replace("/", "_").encode()[-_MOST_BYTES:].decode(errors="ignore") + "-"
        for name in (stem, hashed, last):
            if self._reserve(name + suffix):
                return name + suffix
        raise ValueError(f"{row_id!r}: a row of that id was there before")

    def close(self) -> None:
        """Forget them."""
        self._taken.close()

    def _reserve(self, name: str) -> bool:
        parts = unicodedata.normalize("NFC", name).casefold().split("/")
        paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        for folder in paths[:-1]:
            self._taken.execute("INSERT OR IGNORE INTO taken VALUES (?, 1)", (folder,))
            query = "SELECT is_folder FROM taken WHERE key = ?"
            if not self._taken.execute(query, (folder,)).fetchone()[0]:
                return False
        added = self._taken.execute("INSERT OR IGNORE INTO taken VALUES (?, 0)", (paths[-1],))
        return added.rowcount == 1


def _safe(row_id: str) -> str:
    """The name of an id; another id may have the same."""
    whole = clean(row_id)
    suffix = _MEDIA.fullmatch(whole, whole.rfind(".")) if "." in whole else None
    stem = whole[: suffix.start()] if suffix else whole
    parts = stem.split("/")
    return "/".join([_safe_part(part) for part in parts][-_MOST_PARTS:])


def _safe_part(part: str) -> str:
    name = _REFUSED.sub("_", part).rstrip(". ")
    name = name.encode()[:_MOST_BYTES].decode(errors="ignore").rstrip(". ")
    if not name or _DEVICES.fullmatch(name):
        return "_" + name
    return name
