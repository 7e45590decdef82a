"""Files below a folder, in the order of their whole paths, in constant memory.

That order is also the one in which S3 lists keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from fnmatch import translate
from typing import NamedTuple

from ....protocol.errors import RowError
from .files import FileStore
from .sorting import in_order


class FoundFile(NamedTuple):
    """A file below the folder, or a folder that cannot be listed, with the reason."""

    #: From the folder where the walk began.
    path: str
    reason: str = ""
    #: What its row is called, where that is not the path.
    id: str = ""


class Pattern:
    """A glob: `*`, `?` and `[...]` within a name, `**` for any folders."""

    def __init__(self, pattern: str) -> None:
        parts = pattern.split("/")
        self._parts = [None if p == "**" else re.compile(translate(p)) for p in parts]
        # As in a shell: a hidden name is only met by a pattern that begins with a dot.
        self._hidden = [part.startswith(".") for part in parts]

    @property
    def end(self) -> int:
        """Where a whole match stands."""
        return len(self._parts)

    def start(self) -> frozenset[int]:
        """Where the match of a path stands before its first name."""
        return self._closed({0})

    def step(self, places: frozenset[int], name: str) -> frozenset[int]:
        """Where it stands after one more name; empty where nothing below can match."""
        after = set()
        for place in places:
            if place == self.end:
                continue
            part = self._parts[place]
            if part is None:
                after |= set() if name.startswith(".") else {place}
            elif part.match(name) and (self._hidden[place] or not name.startswith(".")):
                after.add(place + 1)
        return self._closed(after)

    def whole(self, places: frozenset[int]) -> bool:
        """Whether the path so far is a match."""
        return self.end in places

    def _closed(self, places: set[int]) -> frozenset[int]:
        """With the places that a `**` for no folder at all leads to."""
        closed = set(places)
        for place in range(self.end):
            if place in closed and self._parts[place] is None:
                closed.add(place + 1)
        return frozenset(closed)


class _Everything(Pattern):
    """Its own matches told at once: most folders are walked with it, and have many files."""

    def __init__(self) -> None:
        super().__init__("**/*")
        self._any = super().step(self.start(), "any")

    def step(self, places: frozenset[int], name: str) -> frozenset[int]:
        """Where it stands after one more name; empty where nothing below can match."""
        return self._any if places and not name.startswith(".") else _NOWHERE


_NOWHERE = frozenset[int]()

#: Every file at any depth, hidden ones left out.
EVERYTHING = _Everything()

#: Whether a file of that name is wanted.
Wanted = Callable[[str], bool]


def walk(files: FileStore, root: str, pattern: Pattern, wanted: Wanted) -> Iterator[FoundFile]:
    """Files below `root` that match. A link that leads back up is not followed."""
    above = (files.identity(root),)
    yield from _walk(_Walk(files, pattern, wanted), root, "", pattern.start(), above)


class _Walk(NamedTuple):
    files: FileStore
    pattern: Pattern
    wanted: Wanted


def _walk(
    how: _Walk, folder: str, below: str, places: frozenset[int], above: tuple[Hashable, ...]
) -> Iterator[FoundFile]:
    try:
        for name in in_order(_names(how, folder, places)):
            if not name.endswith("/"):
                yield FoundFile(below + name)
                continue
            inner = how.files.join(folder, name[:-1])
            identity = how.files.identity(inner)
            if identity is None or identity not in above:
                after = how.pattern.step(places, name[:-1])
                yield from _walk(how, inner, below + name, after, (*above, identity))
    except RowError as error:
        yield FoundFile(below, error.message)


def _names(how: _Walk, folder: str, places: frozenset[int]) -> Iterator[str]:
    """Names in a folder that match, folders with the slash that decides their place."""
    for name, is_folder in how.files.entries(folder):
        after = how.pattern.step(places, name)
        if is_folder and after - {how.pattern.end}:
            yield f"{name}/"
        elif not is_folder and how.pattern.whole(after) and how.wanted(name):
            yield name


def matching(pattern: Pattern, wanted: Wanted, path: str) -> bool:
    """Whether a path below the root, as a flat listing tells it, is one that `walk` finds."""
    places = pattern.start()
    for name in path.split("/"):
        places = pattern.step(places, name)
    return pattern.whole(places) and wanted(path.rpartition("/")[2])
