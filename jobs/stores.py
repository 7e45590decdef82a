"""Where large payloads and results live: a folder, or S3 through boto3."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlparse

from ..protocol import errors
from .settings import JobsSettings

#: Seconds a presigned URL stays good.
_PRESIGNED_S = 3600


class Store(Protocol):
    """Bytes under a key. `put` answers the reference that `get`, `delete` and `url` take."""

    def put(self, key: str, data: bytes) -> str:
        """Store all of the data, or raise Unavailable."""
        ...

    def get(self, ref: str) -> bytes:
        """Read it back. Raises NotFound when it is gone, Unavailable when the store is."""
        ...

    def delete(self, ref: str) -> None:
        """Remove it; a reference that is gone already is fine."""

    def url(self, ref: str) -> str | None:
        """A link that a client may follow without credentials, or None where there is none."""


class FolderStore:
    """A local folder. The default, for one machine or a shared file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> str:
        """Write beside, then rename: a reader sees all of it or nothing."""
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
                file.write(data)
            Path(file.name).replace(target)
        except OSError as error:
            raise errors.Unavailable(
                f"the blob folder refused a write: {error.strerror}"
            ) from error
        return key

    def get(self, ref: str) -> bytes:
        """Read the file."""
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            raise errors.NotFound(f"no blob {ref!r}") from None

    def delete(self, ref: str) -> None:
        """Unlink the file."""
        self._path(ref).unlink(missing_ok=True)

    def url(self, ref: str) -> str | None:  # noqa: ARG002 # a folder has no links
        """None: a folder is not served."""
        return None

    def _path(self, key: str) -> Path:
        # Ids are the client's words: quoted, they cannot climb out of the folder, nor end as "..".
        name = quote(key, safe="").replace(".", "%2E")
        return self._folder / name[:2] / name


class S3Store:
    """An S3 bucket under a prefix."""

    def __init__(self, url: str, settings: JobsSettings) -> None:
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
                retries={"mode": "standard", "max_attempts": 4},
                connect_timeout=5,
                read_timeout=30,
                s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
            ),
        )

    def put(self, key: str, data: bytes) -> str:
        """One PutObject."""
        ref = f"{self._prefix}/{quote(key, safe='')}".lstrip("/")
        self._ask("put_object", Bucket=self._bucket, Key=ref, Body=data)
        return ref

    def get(self, ref: str) -> bytes:
        """One GetObject."""
        body: bytes = self._ask("get_object", Bucket=self._bucket, Key=ref)["Body"].read()
        return body

    def delete(self, ref: str) -> None:
        """One DeleteObject."""
        self._ask("delete_object", Bucket=self._bucket, Key=ref)

    def url(self, ref: str) -> str | None:
        """A presigned GET, good for an hour."""
        url: str = self.client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": ref}, ExpiresIn=_PRESIGNED_S
        )
        return url

    def _ask(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client, operation)(**arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"NoSuchKey", "404"}:
                raise errors.NotFound(f"no blob {arguments['Key']!r}") from None
            raise errors.Unavailable(f"the blob store answered {code}; retry later") from error
        except BotoCoreError as error:
            raise errors.Unavailable("the blob store cannot be reached; retry later") from error


def open_store(settings: JobsSettings) -> Store:
    """The store that the settings name. Raises ValueError for an unknown scheme."""
    url = settings.store_url
    if url.startswith("s3://"):
        return S3Store(url, settings)
    if "://" in url and not url.startswith("file://"):
        raise ValueError(f"store_url {url!r}: use s3://bucket/prefix or a folder")
    folder = Path(url.removeprefix("file://")) if url else settings.store_dir
    return FolderStore(folder.expanduser())
