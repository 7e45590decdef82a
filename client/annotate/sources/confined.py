"""Files of the places that are allowed, for a source that somebody else has named.

What tables, lists and links of such a source name is confined as the source itself is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import BinaryIO, TypeVar

from ....protocol.errors import InvalidRequest, RowError
from ....protocol.places import AllowedPlaces
from .archives import archive_in, open_archive
from .choose import PlaceOf, outer_place
from .files import FileStore, FileVersion, FolderEntry, is_web
from .local_files import LocalFiles
from .remote import is_url, open_url
from .web import web_files

T = TypeVar("T")

_WHERE = "is in no place that runs may read"


def place_among(places: AllowedPlaces) -> PlaceOf:
    """What finds a source in the places alone, into archives too. It raises InvalidRequest."""

    def place(spec: str) -> tuple[FileStore, str]:
        path = spec.removeprefix("@")
        if is_web(path):
            if path != spec:  # the list that it names is asked for next
                return ConfinedFiles(LocalFiles(), AllowedPlaces()), spec
            return _inside(web_among(places, spec if places.everywhere else ""), spec)
        if not places.allow(path):
            raise InvalidRequest(f"source {spec!r} {_WHERE} (WHERRY_RUN_PLACES: {places})")
        inner, path = outer_place(spec)
        files: FileStore = ConfinedFiles(inner, places)
        return _inside(files, path)

    return place


def _inside(files: FileStore, path: str) -> tuple[FileStore, str]:
    """Into an archive, if the path leads there."""
    found = archive_in(files, path)
    return (files, path) if found is None else (open_archive(files, found.archive), found.inside)


def web_among(places: AllowedPlaces, source: str = "") -> FileStore:
    """What web servers give, of the hosts that are allowed and the places among them."""
    return web_files(lambda url: _elsewhere(places, url), source=source, places=places)


def _elsewhere(places: AllowedPlaces, url: str) -> tuple[FileStore, str]:
    """Where a URL leads that is no web server's, if it is in a place.

    Raises RowError, InvalidRequest.
    """
    if not is_url(url) or not places.allow(url):
        raise RowError(_WHERE)
    inner, path = open_url(url)
    return ConfinedFiles(inner, places), path


class ConfinedFiles(FileStore):
    """The files of another store that are in a place."""

    def __init__(self, inner: FileStore, places: AllowedPlaces) -> None:
        self._inner, self._places = inner, places
        self.threads = inner.threads

    def _allowed(self, path: str) -> str:
        """The path. Raises RowError where it, or what it links to, is in no place."""
        inner, places = self._inner, self._places
        is_in = places.allow_file(path) if inner.is_local else places.allow(inner.shown(path))
        if not is_in:
            raise RowError(_WHERE)
        return path

    def _tried(self, ask: Callable[[str], T], path: str, otherwise: T) -> T:
        try:
            self._allowed(path)
        except RowError:
            return otherwise
        return ask(path)

    @property
    def is_local(self) -> bool:
        """As the other's."""
        return self._inner.is_local

    @property
    def is_near(self) -> bool:
        """As the other's."""
        return self._inner.is_near

    @property
    def passed_over(self) -> Mapping[str, int]:
        """As the other's."""
        return self._inner.passed_over

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return self._tried(self._inner.is_file, path, False)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        return self._tried(self._inner.is_folder, path, False)

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""
        return self._inner.open(self._allowed(path))

    def head(self, path: str, size: int) -> bytes:
        """A file's first bytes. Raises RowError."""
        return self._inner.head(self._allowed(path), size)

    def glance(self, path: str) -> BinaryIO:
        """A file of which little is read. Raises RowError."""
        return self._inner.glance(self._allowed(path))

    def described(self, path: str) -> list[str] | None:
        """The tables that a path stands for."""
        return self._tried(self._inner.described, path, None)

    def pinned(self, path: str) -> str:
        """As the other's."""
        return self._inner.pinned(path)

    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError."""
        return self._inner.read(self._allowed(path))

    def held(self, path: str) -> AbstractContextManager[BinaryIO]:  # type: ignore[override] # the other's own
        """A whole file on this machine. Raises RowError."""
        return self._inner.held(self._allowed(path))

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """What a folder holds. Raises RowError."""
        return self._inner.entries(self._allowed(folder))

    def mark(self, path: str) -> str:
        """As the other's. Raises RowError."""
        return self._inner.mark(self._allowed(path))

    def keys(self, folder: str, begin: str = "") -> Iterator[str] | None:
        """Paths below a folder, where they are flat. Raises RowError."""
        return self._inner.keys(self._allowed(folder), begin)

    def version(self, path: str) -> FileVersion | None:
        """What a file is now."""
        return self._tried(self._inner.version, path, None)

    def versions(self, folder: str, after: str = "") -> Iterator[tuple[str, FileVersion]] | None:
        """Paths below a folder with what they are, where they are flat. Raises RowError."""
        return self._inner.versions(self._allowed(folder), after)

    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""
        return self._inner.join(folder, path)

    def identity(self, folder: str) -> Hashable | None:
        """As the other's."""
        return self._inner.identity(folder)

    def shown(self, path: str) -> str:
        """A path for people."""
        return self._inner.shown(path)

    def folder_of(self, path: str) -> str:
        """The folder that a file is in."""
        return self._inner.folder_of(path)

    def elsewhere(self, url: str) -> tuple[FileStore, str]:
        """Where a URL leads, if that is in a place. Raises RowError, InvalidRequest."""
        return (self._web, url) if is_web(url) else _elsewhere(self._places, url)

    @cached_property
    def _web(self) -> FileStore:
        """What web servers give, of the hosts that are allowed and the places among them."""
        return web_among(self._places)
