"""Data sets that clients send: into the store as they come, in parts; then into the books."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from dataclasses import dataclass, field

from fastapi import Request

from ...jobs.files import LONGEST_UPLOAD_S, FilePart
from ...jobs.stores import Store
from ...jobs.uploads import (
    MOST_FILES,
    Upload,
    UploadedFile,
    UploadReader,
    manifest_bytes,
    put_upload,
    upload_keys,
)
from ...protocol.errors import InvalidRequest, PayloadTooLarge
from ...tasks.media.archives.members import checked_path
from ...tasks.media.archives.stretch import Stretch, StretchReader
from ...tasks.media.archives.tars import TarMembers
from ...tasks.media.archives.zips import ZipMembers
from ..access.caller import caller
from ..http.form_files import FilesForm, boundary_of
from ..http.ids import uuid7
from .blob_removal import remove
from .service import Service
from .store_threads import in_store

#: Bytes of a part in the store.
PART_BYTES = 8 * 1024 * 1024

#: What a form has of its own for each file, at most, beside the file's bytes.
_FORM_BYTES = 8192

#: How archives begin; a zip's may be empty.
_ZIP, _TAR, _TAR_AT = (b"PK\x03\x04", b"PK\x05\x06"), b"ustar", 257

#: Bytes by which an archive is known.
_HEAD_BYTES = 512

#: Characters of an upload's name for itself.
_LONGEST_NAME = 200


@dataclass(slots=True)
class _Parts:
    """Bytes on their way into the store."""

    store: Store
    key: str
    most: int
    taken: int = 0
    parts: list[FilePart] = field(default_factory=list)
    waiting: bytearray = field(default_factory=bytearray)
    began: float = field(default_factory=time.monotonic)

    def add(self, data: bytes) -> None:
        """Take bytes. Raises PayloadTooLarge."""
        self.taken += len(data)
        if self.taken > self.most:
            raise too_large(self.most)
        self.waiting += data

    async def put(self, *, last: bool = False) -> None:
        """Store what makes whole parts; at the end, the rest. Raises InvalidRequest."""
        if time.monotonic() - self.began > LONGEST_UPLOAD_S:
            raise InvalidRequest(f"not all here after {LONGEST_UPLOAD_S} s; send several uploads")
        while len(self.waiting) >= (1 if last else PART_BYTES):
            data = bytes(self.waiting[:PART_BYTES])
            del self.waiting[:PART_BYTES]
            ref = await in_store(self.store.put, f"{self.key}/{len(self.parts):06}", data)
            self.parts.append(FilePart(ref, len(data)))


def too_large(most: int) -> PayloadTooLarge:
    """What is said of an upload that is too large."""
    return PayloadTooLarge(
        f"over {most} bytes (WHERRY_MAX_UPLOAD_BYTES): send several, or name a place that the "
        "fleet reads"
    )


async def take_upload(request: Request, service: Service) -> Upload:
    """Take a form of files, or an archive, into the store and the books.

    Whatever goes wrong, nothing of it stays. Raises InvalidRequest, PayloadTooLarge.
    """
    most = service.settings.max_upload_bytes
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise InvalidRequest("Content-Encoding: an upload is sent as it is")
    boundary = boundary_of(request)
    declared = request.headers.get("content-length", "")
    if boundary is None and declared.isascii() and declared.isdigit() and int(declared) > most:
        raise too_large(most)
    upload_id = f"upload_{uuid7().replace('-', '')}"
    parts = _Parts(service.store, upload_keys(upload_id), most)
    refs: list[str] = []
    try:
        taken = await (
            _archive(request, parts) if boundary is None else _form(request, boundary, parts)
        )
        if taken.files is not None:
            data = await asyncio.to_thread(manifest_bytes, taken.files)
            refs.append(await in_store(service.store.put, f"{parts.key}/manifest", data))
        now = int(time.time())
        upload = Upload(
            id=upload_id,
            name=taken.name,
            created_at=now,
            expires_at=now + service.settings.upload_kept_s,
            tenant=caller.get().tenant,
            files=taken.count,
            bytes=parts.taken,
            archive=taken.archive,
            parts=tuple(parts.parts),
            manifest=refs[0] if refs else "",
        )
        return await service.queue.run(put_upload(upload, service.jobs))
    except BaseException:
        with contextlib.suppress(asyncio.CancelledError):
            refs += [part.ref for part in parts.parts]
            await asyncio.shield(remove(service.store, refs))
        raise


@dataclass(slots=True)
class _Taken:
    """What came."""

    name: str
    count: int
    #: None for an archive.
    files: list[UploadedFile] | None = None
    archive: str = ""


async def _form(request: Request, boundary: bytes, parts: _Parts) -> _Taken:
    files: list[UploadedFile] = []
    names: set[str] = set()
    starts: list[int] = []

    def begin(name: str) -> None:
        path = checked_path(name, "the form")
        if path in names:
            raise InvalidRequest(f"the form has two files {path[:200]!r}")
        names.add(path)
        if len(names) > MOST_FILES:
            raise PayloadTooLarge(f"the form has over {MOST_FILES} files: send an archive")
        _close(files, starts, parts.taken)
        files.append(UploadedFile(path, parts.taken, 0))
        starts.append(parts.taken)

    form = FilesForm(boundary, begin, parts.add)
    async for chunk in request.stream():
        form.feed(chunk)
        await parts.put()
    form.close()
    _close(files, starts, parts.taken)
    if not files:
        raise InvalidRequest("the form has no file: each part with a file has its name")
    await parts.put(last=True)
    return _Taken(form.fields.get("name", "")[:_LONGEST_NAME], len(files), files)


def _close(files: list[UploadedFile], starts: list[int], at: int) -> None:
    """Note how long the file was that came last."""
    if files:
        files[-1] = files[-1]._replace(bytes=at - starts[-1])


async def _archive(request: Request, parts: _Parts) -> _Taken:
    head = bytearray()
    async for chunk in request.stream():
        if len(head) < _HEAD_BYTES:
            head += chunk[:_HEAD_BYTES]
            if len(head) >= _HEAD_BYTES:
                _kind_of(head)  # before any of what is none is stored
        parts.add(chunk)
        await parts.put()
    kind = _kind_of(head)
    await parts.put(last=True)
    reader = UploadReader(parts.parts, parts.store)
    count = await asyncio.to_thread(_count, kind, reader, parts.taken)
    name = request.query_params.get("name", "")
    return _Taken(name[:_LONGEST_NAME], count, archive=kind)


def _kind_of(head: bytes | bytearray) -> str:
    """`zip` or `tar`. Raises InvalidRequest."""
    if head[:4] in _ZIP:
        return "zip"
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "tar"
    raise InvalidRequest(
        "the body is neither a zip nor a tar archive (unpacked: no .tar.gz), nor a form: send "
        "files as multipart/form-data"
    )


def _count(kind: str, reader: UploadReader, size: int) -> int:
    """How many files an archive has. Raises InvalidRequest."""
    file = io.BufferedReader(StretchReader(Stretch(0, size), reader), 1 << 18)
    members = (ZipMembers if kind == "zip" else TarMembers)(file, "the archive")
    if not members.found:
        raise InvalidRequest("the archive has no file")
    return len(members.found)
