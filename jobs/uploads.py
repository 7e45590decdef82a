"""Uploads: data sets that clients sent, for runs to read: their books; the bytes are in the store.

The files of an upload are one stretch of bytes, one after another, cut into parts; a manifest says
which name begins where. An archive is kept as it came.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json, to_json

from ..protocol import errors
from .call import Call, call_script
from .files import FilePart
from .keys import Keys
from .owned import NOBODY
from .settings import JobsSettings
from .stores import Store

#: How a source begins that is an upload.
SCHEME = "upload:"

#: Files of one upload, at most.
MOST_FILES = 1_000_000


class UploadedFile(NamedTuple):
    """One file of an upload: where its bytes lie among all."""

    name: str
    offset: int
    bytes: int


class Upload(BaseModel):
    """What is known of an upload; times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    id: str
    #: What who sent it calls it; "" for nothing.
    name: str = ""
    created_at: int
    expires_at: int
    tenant: str = NOBODY
    #: How many there are.
    files: int
    bytes: int
    #: `zip` or `tar` for an archive that is kept as it came; "" for files.
    archive: str = ""
    parts: tuple[FilePart, ...]
    #: Where the names are; "" for an archive.
    manifest: str = ""

    @property
    def refs(self) -> list[str]:
        """Everything that the store has of it."""
        return [part.ref for part in self.parts] + ([self.manifest] if self.manifest else [])

    def expired(self, now_s: float) -> bool:
        """Whether it is gone for whoever asks; a run that reads it still has it."""
        return self.expires_at <= now_s


def upload_keys(upload_id: str) -> str:
    """How the store's keys for an upload begin."""
    return f"upload/{upload_id}"


def manifest_bytes(files: Iterable[UploadedFile]) -> bytes:
    """Names and places as they are kept."""
    return gzip.compress(to_json(list(files)), mtime=0)


def read_manifest(data: bytes) -> Iterator[UploadedFile]:
    """Names and places again."""
    return (UploadedFile(*entry) for entry in from_json(gzip.decompress(data)))


class UploadReader:
    """Reads an upload's bytes anywhere."""

    def __init__(self, parts: Sequence[FilePart], store: Store) -> None:
        self._parts, self._store = parts, store

    def __call__(self, offset: int, size: int) -> bytes:
        """So many bytes from a place on; fewer at the end. Raises NotFound, StoreUnavailable."""
        found, end, at = [], offset + size, 0
        for part in self._parts:
            first, last = max(offset, at), min(end, at + part.bytes)
            if first < last:
                found.append(self._store.get_range(part.ref, first - at, last - first))
            at += part.bytes
            if at >= end:
                break
        return found[0] if len(found) == 1 else b"".join(found)


def put_upload(upload: Upload, settings: JobsSettings) -> Call[Upload]:
    """Write an upload down whose bytes are in the store."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "file_put",
        settings,
        keys={
            "file": keys.upload(upload.id),
            "expiring": keys.expiring("upload"),
            "indexes": [],
        },
        args={
            "id": upload.id,
            "record": upload.model_dump_json(),
            "expires_ms": upload.expires_at * 1000,
        },
        parse=Upload.model_validate_json,
    )


def get_upload(upload_id: str, settings: JobsSettings) -> Call[Upload | None]:
    """An upload, be it expired; None for an unknown id."""
    return Call([("GET", Keys(settings.key_prefix).upload(upload_id))], parse=_upload)


def hold_upload(
    upload_id: str, run_id: str, now_s: float, settings: JobsSettings
) -> Call[Upload | None]:
    """Keep an upload for a run, until `release_upload`; again is harmless.

    None for an unknown id, and for one that expired before it was held.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "file_hold",
        settings,
        keys={
            "file": keys.upload(upload_id),
            "readers": keys.readers(upload_id),
            "expiring": keys.expiring("upload"),
        },
        args={"id": upload_id, "batch": run_id, "now_ms": int(now_s * 1000)},
        parse=_upload,
    )


def upload_readers(upload_id: str, settings: JobsSettings) -> Call[list[str]]:
    """The runs that an upload is kept for."""
    name = Keys(settings.key_prefix).readers(upload_id)
    return Call([("SMEMBERS", name)], parse=lambda reply: sorted(run.decode() for run in reply))


def release_upload(upload_id: str, run_id: str, settings: JobsSettings) -> Call[bool]:
    """A run reads it no more."""
    return Call([("SREM", Keys(settings.key_prefix).readers(upload_id), run_id)], parse=bool)


def forget_upload(
    upload: Upload, settings: JobsSettings, *, expired_for_s: float | None = None
) -> Call[Upload | None]:
    """Take an upload out of the books, once: None for whoever comes second.

    With `expired_for_s` only if it has been expired for so long. Raises Conflict while a run reads
    it.
    """
    keys = Keys(settings.key_prefix)

    def read(reply: bytes | int | None) -> Upload | None:
        if isinstance(reply, int):
            raise errors.Conflict(f"a run reads {upload.id!r}: cancel it, or wait for its end")
        return _upload(reply)

    return call_script(
        "file_forget",
        settings,
        keys={
            "file": keys.upload(upload.id),
            "readers": keys.readers(upload.id),
            "expiring": keys.expiring("upload"),
            "indexes": [],
        },
        args={
            "id": upload.id,
            "expired_for_ms": "" if expired_for_s is None else int(expired_for_s * 1000),
        },
        parse=read,
    )


def _upload(reply: bytes | None) -> Upload | None:
    return None if reply is None else Upload.model_validate_json(reply)
