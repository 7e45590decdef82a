"""Where large payloads and results live: a folder, or S3 through boto3."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote, unquote, urlparse

from ..protocol import errors
from .settings import JobsSettings, SettingsError

#: Seconds a presigned URL stays good.
_PRESIGNED_S = 3600

#: Seconds before the second try of a read that broke off; they double with each, less some jitter.
_FIRST_PAUSE_S = 0.2

#: First word of the key of what is not written to its end yet.
PART = "part"

T = TypeVar("T")


class Blob(NamedTuple):
    """What a store lists: a key, the reference to it, and when it was written (epoch seconds)."""

    key: str
    ref: str
    written_at: float


class Store(Protocol):
    """Bytes under a key. `put` answers the reference that `get`, `delete` and `url` take.

    All raise StoreUnavailable when the store is away or refuses; reading raises NotFound for what
    is not there.
    """

    #: The store, told apart from every other by all who can reach it.
    name: str

    def put(self, key: str, data: bytes) -> str:
        """Store all of the data, or none."""
        ...

    def ref(self, key: str) -> str:
        """What `put` answers for a key, for what is found by its key alone."""
        ...

    def get(self, ref: str) -> bytes:
        """Read it back. Raises NotFound when it is gone."""
        ...

    def get_range(self, ref: str, offset: int, length: int) -> bytes:
        """Read a stretch of it, shorter where it ends before. Raises NotFound when it is gone."""
        ...

    def delete(self, ref: str) -> None:
        """Remove it; a reference that is gone already is fine."""

    def url(self, ref: str) -> str | None:
        """A link that a client may follow without credentials, or None where there is none."""

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        """What it holds under keys that begin so, in any order."""
        ...


class FolderStore:
    """A local folder. The default, for one machine or a shared file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = self._folder = folder
        self.name = f"folder:{socket.gethostname()}:{folder.absolute()}"

    def put(self, key: str, data: bytes) -> str:
        """Write beside, then rename: a reader sees all of it or nothing."""
        target, part = self._path(key), self._path(f"{PART}/{uuid.uuid4()}")
        try:
            for path in (target, part):
                path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(data)
                part.replace(target)
            except OSError:
                part.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _refused("write", error) from error
        return key

    def ref(self, key: str) -> str:
        """The key itself."""
        return key

    def get(self, ref: str) -> bytes:
        """Read the file."""
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            raise errors.NotFound(f"no blob {ref!r}") from None
        except OSError as error:
            raise _refused("read", error) from error

    def get_range(self, ref: str, offset: int, length: int) -> bytes:
        """Read from a place in the file."""
        try:
            with self._path(ref).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            raise errors.NotFound(f"no blob {ref!r}") from None
        except OSError as error:
            raise _refused("read", error) from error

    def delete(self, ref: str) -> None:
        """Unlink the file."""
        try:
            self._path(ref).unlink(missing_ok=True)
        except OSError as error:
            raise _refused("removal", error) from error

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        """The files, by the names that `_path` gave them."""
        try:
            for path in self._folder.glob("*/*"):
                key = unquote(path.name)
                if key.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):  # gone since
                        yield Blob(key, key, path.stat().st_mtime)
        except OSError as error:
            raise _refused("listing", error) from error

    def url(self, ref: str) -> str | None:  # noqa: ARG002 # a folder has no links
        """None: a folder is not served."""
        return None

    def _path(self, key: str) -> Path:
        # Ids are the client's words: quoted, they cannot climb out of the folder, nor end as "..".
        name = quote(key, safe="").replace(".", "%2E")
        return self._folder / name[:2] / name


def _refused(what: str, error: OSError) -> errors.StoreUnavailable:
    return errors.StoreUnavailable(f"the blob folder refused a {what}: {error.strerror}")


class _PastTheEnd(Exception):
    """A stretch begins where an object has ended."""


class S3Store:
    """An S3 bucket under a prefix.

    Each call is tried `s3_attempts` times, with backoff and jitter (botocore's standard mode; its
    own for the body of a read, which botocore does not try again).
    """

    def __init__(self, url: str, settings: JobsSettings) -> None:
        self.name = url.rstrip("/")
        parts = urlparse(url)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._settings = settings
        self._client: Any = None  # boto3 builds its clients at run time
        self._lock = threading.Lock()

    @property
    def client(self) -> Any:
        """The boto3 client, made at first use: most processes never touch S3."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config

        settings, secret = self._settings, self._settings.s3_secret_access_key
        return boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": settings.s3_attempts},
                connect_timeout=min(5.0, settings.s3_timeout_s),
                read_timeout=settings.s3_timeout_s,
                max_pool_connections=32,
                s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
            ),
        )

    def put(self, key: str, data: bytes) -> str:
        """One PutObject."""
        ref = self.ref(key)
        self._asking(lambda: self.client.put_object(Bucket=self._bucket, Key=ref, Body=data))
        return ref

    def get(self, ref: str) -> bytes:
        """One GetObject, and another when its body breaks off, which botocore lets pass."""
        return self._read(ref)

    def get_range(self, ref: str, offset: int, length: int) -> bytes:
        """The same of some of its bytes."""
        if length <= 0:
            return b""
        return self._read(ref, Range=f"bytes={offset}-{offset + length - 1}")

    def _read(self, ref: str, **only: str) -> bytes:
        from botocore.exceptions import BotoCoreError

        attempts = self._settings.s3_attempts
        for attempt in range(attempts):
            try:
                answer = self._asking(
                    lambda: self.client.get_object(Bucket=self._bucket, Key=ref, **only), ref
                )
            except _PastTheEnd:
                return b""
            try:
                body: bytes = answer["Body"].read()  # checks length and checksum
            except BotoCoreError:
                time.sleep(random.uniform(0.5, 1) * _FIRST_PAUSE_S * 2**attempt)  # noqa: S311 # no secret
            else:
                return body
        raise errors.StoreUnavailable(f"the blob store broke off a read {attempts} times")

    def delete(self, ref: str) -> None:
        """One DeleteObject."""
        self._asking(lambda: self.client.delete_object(Bucket=self._bucket, Key=ref))

    def url(self, ref: str) -> str | None:
        """A presigned GET, good for an hour."""
        url: str = self.client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": ref}, ExpiresIn=_PRESIGNED_S
        )
        return url

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        """ListObjectsV2, page by page."""
        start = self.ref(prefix)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=start
        )
        listed = iter(pages)
        while page := self._asking(lambda: next(listed, None)):
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix(self.ref(""))
                yield Blob(unquote(name), entry["Key"], entry["LastModified"].timestamp())

    def ref(self, key: str) -> str:
        """The object's name."""
        return f"{self._prefix}/{quote(key, safe='')}".lstrip("/")

    def _asking(self, ask: Callable[[], T], ref: str = "") -> T:
        """Ask S3; its errors become ours."""
        from botocore import exceptions as boto

        try:
            return ask()
        except boto.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"NoSuchKey", "404"}:
                raise errors.NotFound(f"no blob {ref!r}") from None
            if code in {"InvalidRange", "416"}:
                raise _PastTheEnd from None
            raise errors.StoreUnavailable(f"the blob store answered {code}; retry later") from error
        except boto.BotoCoreError as error:
            raise errors.StoreUnavailable from error


def open_store(settings: JobsSettings) -> Store:
    """The store that the settings name. Raises SettingsError for an unknown scheme."""
    url = settings.store_url
    if url.startswith("s3://"):
        return S3Store(url, settings)
    if "://" in url and not url.startswith("file://"):
        raise SettingsError(f"WHERRY_STORE_URL {url!r}: use s3://bucket/prefix or a folder")
    folder = Path(url.removeprefix("file://")) if url else settings.store_dir
    return FolderStore(folder.expanduser())
