"""Files behind a URL: `s3://`, and whatever else fsspec knows.

Keys, regions and endpoints come from where fsspec's own file systems take them: for S3 the usual
`AWS_*` variables (`AWS_ENDPOINT_URL`) and files, and fsspec's configuration.
"""

from __future__ import annotations

import io
import posixpath
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

from ....protocol.errors import InvalidRequest, RowError, Unavailable
from ....protocol.file_words import reason_of
from .files import FileStore, FileVersion, FolderEntry, missing

T = TypeVar("T")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

#: Seconds between tries of what failed for the network's sake; fsspec has tried before.
_PAUSES_S = (1.0, 5.0, 15.0)


def is_url(path: str) -> bool:
    """Whether a path is a URL."""
    return _URL.match(path) is not None


def open_url(url: str) -> tuple[RemoteFiles, str]:
    """The place and the path that a URL names. Raises InvalidRequest."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise missing("fsspec") from None
    try:
        # A cache of what is listed would grow with the data set.
        fs, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise InvalidRequest(f"{url}: {error}; pip install 'wherry[annotate]' for s3://") from None
    except ValueError as error:
        raise InvalidRequest(f"{url}: {error}") from None
    return RemoteFiles(fs, url.partition("://")[0].lower()), str(path)


def located(files: FileStore, folder: str, path: str) -> tuple[FileStore, str]:
    """Where a path leads that a data set in `folder` names. Raises RowError."""
    if path.lower().startswith(("http://", "https://")):
        raise RowError("URLs are not fetched: download the files, and give their paths")
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

    def __init__(self, fs: Any, scheme: str) -> None:  # Any: fsspec has no types
        self._fs, self._scheme = fs, scheme
        #: Whether it has ever answered; before that, what is wrong is better told at once.
        self._answered = False

    @property
    def is_local(self) -> bool:
        """Whether its paths are this machine's."""
        return self._scheme in ("file", "local")

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return self.tried(path, lambda: bool(self._fs.isfile(path)))

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder of that path."""
        return self.tried(path, lambda: bool(self._fs.isdir(path)))

    def open(self, path: str) -> BinaryIO:
        """A file to read from its beginning. Raises RowError."""
        file = _Tried(self.tried, path, self.tried(path, lambda: self._fs.open(path, "rb")))
        return io.BufferedReader(file, _BUFFER_BYTES)

    def read(self, path: str) -> bytes:
        """A whole file. Raises RowError."""
        return self.tried(path, lambda: bytes(self._fs.cat_file(path)))

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        """What a folder holds, as one list: fsspec has no other. Raises RowError."""
        for info in self.tried(folder, lambda: self._fs.ls(folder, detail=True)):
            path = str(info["name"]).rstrip("/")
            if path != folder.rstrip("/"):  # S3 has keys that stand for their folder
                yield FolderEntry(posixpath.basename(path), info["type"] == "directory")

    def keys(self, folder: str) -> Iterator[str] | None:
        """Paths below a folder in their order; None where only its folders can be listed."""
        return self._s3_keys(folder) if hasattr(self._fs, "call_s3") else None

    def versions(self, folder: str, after: str = "") -> Iterator[tuple[str, FileVersion]] | None:
        """Objects below a prefix, each with its ETag and size: they appear whole."""
        if not hasattr(self._fs, "call_s3"):
            return None
        return (
            (path, FileVersion(f"{item.get('ETag', '').strip(chr(34))}-{item['Size']}"))
            for path, item in self._s3_objects(folder, after)
        )

    def _s3_keys(self, folder: str) -> Iterator[str]:
        return (path for path, _ in self._s3_objects(folder))

    def _s3_objects(self, folder: str, after: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        bucket, _, prefix = folder.rstrip("/").partition("/")
        prefix = f"{prefix}/" if prefix else ""
        asked = {"Bucket": bucket, "Prefix": prefix}
        if after:
            asked["StartAfter"] = prefix + after
        while True:
            page = self.tried(folder, lambda: self._fs.call_s3("list_objects_v2", **asked))
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):
                    yield str(item["Key"])[len(prefix) :], item
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def join(self, folder: str, path: str) -> str:
        """A path as seen from a folder."""
        return posixpath.normpath(posixpath.join(folder, path))

    def shown(self, path: str) -> str:
        """As a URL."""
        return f"{self._scheme}://{path}" if not is_url(path) else path

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
            except (OSError, ValueError) as error:
                raise RowError(reason_of(error)) from None
            except Exception as error:
                # Each file system has its own network errors (botocore's, aiohttp's).
                failure = error
            pause_s = next(pauses_s, None)
            if pause_s is None:
                raise Unavailable(f"{self.shown(path)}: {failure}") from failure
            time.sleep(pause_s)


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
