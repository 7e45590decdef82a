"""Files in Redis and the blob store: the books name the parts, the store holds them."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from ..protocol import errors
from .call import Call, call_script
from .keys import Keys
from .owned import NOBODY
from .settings import JobsSettings

#: Seconds that sending a file may take; its parts count as orphaned only after twice that.
LONGEST_UPLOAD_S = 21_600


class FilePart(NamedTuple):
    """A stretch of a file."""

    ref: str
    bytes: int


class File(BaseModel):
    """A file: its parts one after another."""

    model_config = ConfigDict(frozen=True)

    id: str
    filename: str
    purpose: str
    created_at: int  # seconds since the epoch
    #: When it goes, in seconds since the epoch; None stays until it is deleted.
    expires_at: int | None = None
    tenant: str = NOBODY
    parts: tuple[FilePart, ...]

    @property
    def bytes(self) -> int:
        """How long it is."""
        return sum(part.bytes for part in self.parts)

    def expired(self, now_s: float) -> bool:
        """Whether it is gone for whoever asks. Its bytes follow when it is swept."""
        return self.expires_at is not None and self.expires_at <= now_s


def file_keys(file_id: str) -> str:
    """How the store's keys for the parts of a file that is sent begin."""
    return f"file/{file_id}"


def put_file(file: File, settings: JobsSettings) -> Call[File]:
    """Write a file down. An id that is known stays as it is; answers what is in the books."""
    keys = Keys(settings.key_prefix)
    expires_ms = "" if file.expires_at is None else file.expires_at * 1000
    return call_script(
        "file_put",
        settings,
        keys={
            "file": keys.file(file.id),
            "expiring": keys.expiring("file"),
            "indexes": _indexes(file, settings),
        },
        args={
            "id": file.id,
            "record": file.model_dump_json(),
            "expires_ms": expires_ms,
        },
        parse=File.model_validate_json,
    )


def get_file(file_id: str, settings: JobsSettings) -> Call[File | None]:
    """A file, be it expired; None for an unknown id."""
    return Call([("GET", Keys(settings.key_prefix).file(file_id))], parse=_file)


def hold_file(
    file_id: str, batch_id: str, now_s: float, settings: JobsSettings
) -> Call[File | None]:
    """Keep a file for a batch until `save_batch` ends that; again is harmless.

    None for an unknown id, and for a file that expired before it was held.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "file_hold",
        settings,
        keys={
            "file": keys.file(file_id),
            "readers": keys.readers(file_id),
            "expiring": keys.expiring("file"),
        },
        args={
            "id": file_id,
            "batch": batch_id,
            "now_ms": int(now_s * 1000),
        },
        parse=_file,
    )


def forget_file(
    file: File, settings: JobsSettings, *, expired_for_s: float | None = None
) -> Call[File | None]:
    """Take a file out of the books, once: None for whoever comes second.

    With `expired_for_s` only if it has been expired for so long. Raises Conflict while a batch
    reads it.
    """
    keys = Keys(settings.key_prefix)

    def read(reply: bytes | int | None) -> File | None:
        if isinstance(reply, int):
            raise errors.Conflict(f"a batch reads file {file.id!r}: cancel it, or wait for its end")
        return _file(reply)

    return call_script(
        "file_forget",
        settings,
        keys={
            "file": keys.file(file.id),
            "readers": keys.readers(file.id),
            "expiring": keys.expiring("file"),
            "indexes": _indexes(file, settings),
        },
        args={
            "id": file.id,
            "expired_for_ms": "" if expired_for_s is None else int(expired_for_s * 1000),
        },
        parse=read,
    )


def file_page(
    purpose: str,
    after: str,
    limit: int,
    settings: JobsSettings,
    *,
    newest_first: bool = True,
    tenant: str = "",
) -> Call[list[str] | None]:
    """Ids of files, of one tenant's or of all; None when there is none called `after`."""
    index = Keys(settings.key_prefix).files(purpose, tenant)
    return page(index, after, limit, settings, newest_first)


def page(
    index: str, after: str, limit: int, settings: JobsSettings, newest_first: bool
) -> Call[list[str] | None]:
    """Ids of an index by time; None when there is none called `after`."""
    return call_script(
        "page",
        settings,
        keys={"index": index},
        args={
            "after": after,
            "limit": limit,
            "order": "newest" if newest_first else "oldest",
        },
        parse=lambda reply: None if reply is None else [item.decode() for item in reply],
    )


def _indexes(file: File, settings: JobsSettings) -> list[str]:
    keys = Keys(settings.key_prefix)
    return [keys.files(p, t) for t in ("", file.tenant) for p in ("", file.purpose)]


def _file(reply: bytes | None) -> File | None:
    return None if reply is None else File.model_validate_json(reply)
