"""Where a source's files lie, and how they are found and read. Paths have forward slashes."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from ....protocol.errors import InvalidRequest, RowError


def is_web(url: str) -> bool:
    """Whether a URL is a web server's."""
    return url[:8].lower().startswith(("http://", "https://"))


class FolderEntry(NamedTuple):
    """What a folder holds."""

    name: str
    is_folder: bool


class FileVersion(NamedTuple):
    """What a file is at a moment, for whoever sees it again."""

    #: Another one once the file is another.
    tag: str
    #: When it was last changed, in seconds since the epoch; 0 where files appear whole.
    changed_at: float = 0.0


class FileStore(ABC):
    """A place that holds files."""

    #: Reads at a time that pay: 1 where a read takes no waiting.
    threads: int = 1

    @property
    def is_local(self) -> bool:
        """Whether its paths are this machine's."""
        return False

    @property
    def is_near(self) -> bool:
        """Whether files can be looked into and counted without a call over a network for each."""
        return self.is_local

    @property
    def holder(self) -> str:
        """This machine's file that all of them are in; "" where there is none."""
        return ""

    @property
    def passed_over(self) -> Mapping[str, int]:
        """What it has that is no file of anybody's, in words -> how many."""
        return {}

    @abstractmethod
    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""

    @abstractmethod
    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""

    def head(self, path: str, size: int) -> bytes:
        """A file's first bytes. Raises RowError."""
        with self.open(path) as file:
            return file.read(size)

    @abstractmethod
    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError."""

    def glance(self, path: str) -> BinaryIO:
        """A file of which little is read, anywhere in it. Raises RowError."""
        return self.open(path)

    @contextmanager
    def held(self, path: str) -> Iterator[BinaryIO]:
        """A whole file on this machine, to read in any order: one elsewhere is fetched once.

        Raises RowError.
        """
        with TemporaryFile() as near:
            with self.open(path) as far:
                shutil.copyfileobj(far, near)
            yield near

    @abstractmethod
    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """What a folder holds, in any order, nothing but files and folders. Raises RowError."""

    @abstractmethod
    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""

    def identity(self, folder: str) -> Hashable | None:  # noqa: ARG002 # for places with links
        """What tells a folder from any other, however it is reached; None where links are not."""
        return None

    def shown(self, path: str) -> str:
        """A path for people."""
        return path

    def mark(self, path: str) -> str:  # noqa: ARG002 # for places that know
        """What tells a file from another one of that path, if a look at it does; else "".

        Raises RowError.
        """
        return ""

    def keys(
        self,
        folder: str,  # noqa: ARG002 # for places of flat keys
        begin: str = "",  # noqa: ARG002
    ) -> Iterator[str] | None:
        """Paths below a folder in their order; None where only its folders can be listed.

        From `begin` on, though some of those before it may be among them.
        """
        return None

    def described(self, path: str) -> list[str] | None:  # noqa: ARG002 # for places that describe
        """The tables that a path stands for by a description of them; None where there is none.

        Raises InvalidRequest where it stands for more than one table's rows.
        """
        return None

    def pinned(self, path: str) -> str:  # noqa: ARG002 # for places that keep what was
        """What names the path's files as they are now, whatever is changed there later; "" where
        nothing does.
        """
        return ""

    def version(self, path: str) -> FileVersion | None:  # noqa: ARG002 # for places that can tell
        """What a file is now; None for none, and where that cannot be told."""
        return None

    def versions(
        self,
        folder: str,  # noqa: ARG002 # for places of flat keys
        after: str = "",  # noqa: ARG002
    ) -> Iterator[tuple[str, FileVersion]] | None:
        """Paths below a folder, those behind one of them, in order, each with what it is now.

        None where only its folders can be listed.
        """
        return None

    def elsewhere(self, url: str) -> tuple[FileStore, str]:
        """Where a URL leads that a data set here names. Raises RowError, InvalidRequest."""
        from .remote import open_url  # only here: it imports this

        return (self._web, url) if is_web(url) else open_url(url)

    @property
    def fetches(self) -> bool:
        """Whether files of web servers are fetched that a data set here names."""
        return self._web.fetches

    @cached_property
    def _web(self) -> FileStore:
        """What web servers give, for all URLs of a data set here. Raises InvalidRequest."""
        from .remote import open_url
        from .web import web_files

        return web_files(open_url)

    def on_this_machine(self, paths: Iterable[str]) -> Iterable[str]:
        """This machine's files that are read for those of some paths."""
        if self.holder:
            return (self.holder,)
        return paths if self.is_local else ()

    def name_of(self, path: str) -> str:
        """What of a path names the file: how that ends says what it is."""
        return path

    def folder_of(self, path: str) -> str:
        """The folder that a file is in, "" for the working one."""
        return path.rpartition("/")[0] or path[: path.startswith("/")]


def not_empty(data: bytes) -> bytes:
    """A file's bytes. Raises RowError when there are none."""
    if not data:
        raise RowError("the file is empty")
    return data


def missing(package: str, extra: str = "annotate") -> InvalidRequest:
    """The error for a package that is not installed."""
    return InvalidRequest(f"{package} is not installed: pip install 'wherry[{extra}]'")
