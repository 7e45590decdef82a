"""Files behind a URL: `s3://`, `gs://`, `az://`, and whatever else fsspec knows.

Keys, regions and endpoints come from where fsspec's own file systems take them: the usual variables
and files of each cloud (`AWS_*`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_*`), and fsspec's
configuration.
"""

from __future__ import annotations

import io
import logging
import os
import posixpath
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

from ....protocol.errors import InvalidRequest, RowError, Unavailable
from ....protocol.file_words import reason_of
from .files import FileStore, FileVersion, FolderEntry, is_web, missing
from .listings import ListPage, StoredKey, key_lister
from .refusals import is_unknown, refused
from .web import web_files

T = TypeVar("T")

#: Schemes of clouds -> the extra that brings their file system.
_EXTRAS = {
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
    "gcs": "gcs",
    "gs": "gcs",
    "s3": "annotate",
    "s3a": "annotate",
}

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

_SILENT = logging.NullHandler()  # for logs of what is raised, too

#: Seconds between tries of what failed for the network's sake; fsspec has tried before.
_PAUSES_S = (1.0, 5.0, 15.0)


def is_url(path: str) -> bool:
    """Whether a path is a URL."""
    return _URL.match(path) is not None


def open_url(url: str) -> tuple[FileStore, str]:
    """The place and the path that a URL names, of a web server where it is allowed.

    Raises InvalidRequest.
    """
    if is_web(url):
        return web_files(open_url), url
    try:
        fs, path = file_system(url)
    except ImportError as error:
        if error.name and error.name.partition(".")[0] == "fsspec":
            raise missing("fsspec") from None
        extra = _EXTRAS.get(_scheme(url), "")
        more = f"; pip install 'wherry[{extra}]'" if extra else ""
        raise InvalidRequest(f"{url}: {error}{more}") from None
    except ValueError as error:
        raise InvalidRequest(f"{url}: {error}") from None
    return RemoteFiles(fs, url, path), path


def file_system(url: str) -> tuple[Any, str]:  # Any: fsspec has no types
    """The file system of a URL, and the path there. Raises ImportError, ValueError.

    A web server is none: what it gives passes the outbound guard, and it takes nothing.
    """
    if is_web(url):
        raise ValueError("a web server takes no files: name a bucket, or a path")
    host = url.partition("://")[2].partition("/")[0]
    if ":" in host.rpartition("@")[0]:
        raise ValueError("no key or password in a URL: each cloud has its variables for them")
    from fsspec.core import url_to_fs

    if _EXTRAS.get(_scheme(url)) == "gcs":
        # gcsfs asks by gRPC for each bucket's kind else, with credentials of its own choice, and
        # warns at each call where it finds none.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        logging.getLogger("gcsfs").addHandler(_SILENT)
    # A cache of what is listed would grow with the data set.
    fs, path = url_to_fs(url, use_listings_cache=False)
    return fs, str(path)


def is_same(fs: Any, path: str) -> bool:
    """Whether a file system leaves a path as it is: adlfs has ? and # change their places."""
    if "?" not in path or "#" not in path:
        return True
    return bool(fs._strip_protocol(path) == path)  # noqa: SLF001 # it tells by nothing else


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def located(files: FileStore, folder: str, path: str) -> tuple[FileStore, str]:
    """Where a path leads that a data set in `folder` names. Raises RowError."""
    if not is_url(path):
        return files, files.join(folder, path)
    try:
        return files.elsewhere(path)
    except InvalidRequest as error:
        raise RowError(error.message) from None


#: Bytes that are read at once from an open file; fsspec reads ahead besides.
_BUFFER_BYTES = 1 << 20


class RemoteFiles(FileStore):
    """The files of one fsspec file system."""

    threads = 16

    def __init__(self, fs: Any, url: str, path: str) -> None:  # Any: fsspec has no types
        """`url` names the place, and `path` is what its file system makes of it."""
        self._fs, self._scheme = fs, _scheme(url)
        #: What its URLs have between container and path: abfs://container@account.host/path.
        host = url.partition("://")[2].partition("/")[0]
        is_hidden = "@" in host and host.partition("@")[0] == path.partition("/")[0]
        self._account = "@" + host.partition("@")[2] if is_hidden else ""
        self._list = key_lister(fs)
        #: Whether it has ever answered; before that, what is wrong is better told at once.
        self._answered = False

    @property
    def is_local(self) -> bool:
        """Whether its paths are this machine's."""
        return self._scheme in ("file", "local")

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return self._kind(path) == "file"

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        return self._kind(path) == "directory"

    def _kind(self, path: str) -> str:
        """What is there, "" for nothing. fsspec's own isfile is False for every error."""

        def ask() -> str:
            try:
                return str(self._fs.info(path)["type"])
            except FileNotFoundError:
                return ""

        return self.tried(path, ask)

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""
        self._refuse_other(path)
        file = _Tried(self.tried, path, self.tried(path, lambda: self._fs.open(path, "rb")))
        return io.BufferedReader(file, _BUFFER_BYTES)

    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError."""
        self._refuse_other(path)
        return self.tried(path, lambda: bytes(self._fs.cat_file(path)))

    def _refuse_other(self, path: str) -> None:
        """Raise RowError for a name that its file system would take for another one."""
        if not is_same(self._fs, path):
            raise RowError("a name with both ? and # in it cannot be read there")

    def mark(self, path: str) -> str:
        """By its ETag, else its size: what lies in a bucket is replaced whole. Raises RowError."""
        info = self.tried(path, lambda: self._fs.info(path))
        tag = info.get("ETag") or info.get("etag") or f"{info.get('size')} bytes"
        return f"{posixpath.basename(path)} ({str(tag).strip(chr(34))})"

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """What a folder holds, as one list: fsspec has no other. Raises RowError."""
        for info in self.tried(folder, lambda: self._fs.ls(folder, detail=True)):
            path = str(info["name"]).rstrip("/")
            if path != folder.rstrip("/"):  # S3 has keys that stand for their folder
                yield FolderEntry(posixpath.basename(path), info["type"] == "directory")

    def keys(self, folder: str, begin: str = "") -> Iterator[str] | None:
        """Paths below a folder in their order; None where only its folders can be listed.

        With `begin` some of those before it may be among them.
        """
        if self._list is None:
            return None
        return (found.key for found in self._keys(self._list, folder, begin))

    def versions(self, folder: str, after: str = "") -> Iterator[tuple[str, FileVersion]] | None:
        """Objects below a prefix, each by its tag: they appear whole."""
        if self._list is None:
            return None
        found = self._keys(self._list, folder, after)
        return ((key, FileVersion(tag)) for key, tag in found if key > after)

    def _keys(self, list_page: ListPage, folder: str, begin: str) -> Iterator[StoredKey]:
        bucket, _, prefix = folder.rstrip("/").partition("/")
        prefix = f"{prefix}/" if prefix else ""
        first, token = f"{prefix}{begin}" if begin else "", None
        while True:
            asked = (bucket, prefix, first, token)
            try:
                page = self.tried(folder, lambda asked=asked: list_page(*asked))  # type: ignore[misc] # bound at once
            except RowError:
                if not first or token is not None:
                    raise
                first = ""  # a bucket that cannot be listed from a key on: from all of them, then
                continue
            for key, tag in page.keys:
                if not key.endswith("/"):  # one that stands for its folder
                    yield StoredKey(key[len(prefix) :], tag)
            token = page.next
            if token is None:
                return

    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""
        return posixpath.normpath(posixpath.join(folder, path))

    def shown(self, path: str) -> str:
        """As a URL."""
        if is_url(path):
            return path
        container, slash, inside = path.partition("/")
        return f"{self._scheme}://{container}{self._account}{slash}{inside}"

    def tried(self, path: str, call: Callable[[], T]) -> T:
        """What a call gives. Raises RowError for this path's fault, Unavailable for the network's.

        A place that is away for a while is no reason to call its files unreadable.
        """
        pauses_s = iter(_PAUSES_S if self._answered else ())
        while True:
            try:
                given = call()
                self._answered = True
                return given  # noqa: TRY300 # the answer is what the try is for
            except (ConnectionError, TimeoutError) as error:
                failure: Exception = error
            except Exception as error:
                # Each file system has its own network errors (botocore's, aiohttp's, azure.core's).
                if why := _own_fault(error):
                    raise RowError(why) from None
                failure = error
            pause_s = next(pauses_s, None)
            if pause_s is None:
                raise Unavailable(f"{self.shown(path)}: {failure}") from failure
            time.sleep(pause_s)


def _own_fault(error: Exception) -> str:
    """Why it is this path that cannot be read; "" where the place is at fault."""
    if is_unknown(error):
        return ""
    if why := refused(error):
        return why
    return reason_of(error) if isinstance(error, OSError | ValueError) else ""


class _Tried(io.RawIOBase):
    """A remote file whose reads are tried again like any other call."""

    def __init__(self, tried: Callable[..., Any], path: str, file: Any) -> None:  # fsspec's
        self._tried, self._path, self._file = tried, path, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:  # any that can be written to
        view = memoryview(buffer).cast("B")
        data: bytes = self._tried(self._path, lambda: self._file.read(len(view)))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def tried_file(tried: Callable[..., Any], path: str, file: Any) -> BinaryIO:
    """A file elsewhere whose reads are tried as `tried` does: with the path, and what reads."""
    return io.BufferedReader(_Tried(tried, path, file), _BUFFER_BYTES)
