"""Files in Redis and the blob store: the books name the parts, the store holds them."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from .call import Call, script
from .keys import Keys
from .owned import NOBODY
from .settings import JobsSettings


class Part(NamedTuple):
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
    tenant: str = NOBODY
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        """How long it is."""
        return sum(part.bytes for part in self.parts)


def put_file(file: File, settings: JobsSettings) -> Call[None]:
    """Write a file down. An id that is known stays as it is."""
    return Call(
        script("file_put"),
        keys=_keys(file, settings),
        args=[settings.key_prefix, file.id, file.model_dump_json()],
        parse=lambda _: None,
    )


def get_file(file_id: str, settings: JobsSettings) -> Call[File | None]:
    """A file; None for an unknown id."""
    return Call(
        None,
        keys=[],
        args=[],
        before=[("GET", Keys(settings.key_prefix).file(file_id))],
        parse=_file,
    )


def forget_file(file: File, settings: JobsSettings) -> Call[File | None]:
    """Take a file out of the books, once: None for whoever comes second."""
    return Call(
        script("file_forget"),
        keys=_keys(file, settings),
        args=[settings.key_prefix, file.id],
        parse=_file,
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
    return Call(
        script("page"),
        keys=[index],
        args=[settings.key_prefix, after, limit, "newest" if newest_first else "oldest"],
        parse=lambda reply: None if reply is None else [item.decode() for item in reply],
    )


def _keys(file: File, settings: JobsSettings) -> list[str]:
    keys = Keys(settings.key_prefix)
    indexes = [keys.files(p, t) for t in ("", file.tenant) for p in ("", file.purpose)]
    return [keys.file(file.id), *indexes]


def _file(reply: bytes | None) -> File | None:
    return None if reply is None else File.model_validate_json(reply)
