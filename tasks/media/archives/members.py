"""The files of one archive by their names, as far as they can be trusted."""

from __future__ import annotations

import re
from collections import Counter
from typing import Generic, TypeVar

from ....protocol.errors import InvalidRequest
from ....protocol.file_words import printable_name

T = TypeVar("T")

#: Files of one archive, at most: all their names are in memory.
MOST_FILES = 1_000_000

#: An archive's files may be so many times as long as it is itself, beyond the bytes that any may
#: have: what unpacks to more is made to fill memory or disks.
MOST_RATIO, FREE_BYTES = 100, 1 << 30

#: Characters of a member's name, at most.
_LONGEST_NAME = 4096

#: What macOS adds to archives for itself.
_MACOS = "__MACOSX"

_DRIVE = re.compile(r"[A-Za-z]:(?:/|$)")


class Members(Generic[T]):
    """Files by their paths, with forward slashes; what tells where one is, is a `T`."""

    def __init__(self, shown: str) -> None:
        """`shown` is what people call the archive."""
        self.shown = shown
        self.found: dict[str, T] = {}
        #: Members that are no files of anybody's, in words -> how many.
        self.left_out = Counter[str]()

    def add(self, name: str, where: T) -> None:
        """Note a file; of two that share a name the later counts. Raises InvalidRequest."""
        path = checked_path(name, self.shown)
        if path.split("/", 1)[0] == _MACOS:
            self.left_out[_MACOS] += 1
            return
        if path in self.found:
            self.left_out["earlier members of the same name"] += 1
        self.found[path] = where
        if len(self.found) > MOST_FILES:
            raise InvalidRequest(f"{self.shown}: has over {MOST_FILES:,} files; pack several")

    def check_ratio(self, unpacked: int, packed: int) -> None:
        """Raise InvalidRequest where what is in it is out of all proportion to it."""
        if unpacked > FREE_BYTES + MOST_RATIO * packed:
            raise InvalidRequest(
                f"{self.shown}: {packed:,} bytes would unpack to {unpacked:,} or more, over "
                f"{MOST_RATIO} times as many: unpack it yourself, if you trust it"
            )


def checked_path(name: str, shown: str) -> str:
    """A member's path below its archive. Raises InvalidRequest for one that leads elsewhere."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    leads_out = name.startswith("/") or ".." in parts or _DRIVE.match(name) or "\0" in name
    if leads_out or not parts or len(name) > _LONGEST_NAME:
        raise InvalidRequest(
            f"{shown}: the member {printable_name(name)[:200]!r} leads out of it, or is no name: "
            "pack it anew, with files below one folder"
        )
    return "/".join(parts)
