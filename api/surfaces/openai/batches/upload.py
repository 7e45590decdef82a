"""Forms with a file in them (RFC 7578), put into the store while they come in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .....jobs.files import LONGEST_UPLOAD_S, FilePart
from .....jobs.stores import Store
from .....protocol.errors import InvalidRequest, PayloadTooLarge
from ....core.blob_removal import remove
from ....core.store_threads import in_store
from .growing import PART_BYTES

#: Bytes of all that is not the file.
_MAX_FIELDS_BYTES = 65_536

#: Bytes of boundaries and headers that a form has besides its file, at most.
_FORM_BYTES = 8192


@dataclass(slots=True)
class Uploaded:
    """What a form held."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    parts: list[FilePart] = field(default_factory=list)


async def receive(request: Request, store: Store, name: str, max_bytes: int) -> Uploaded:
    """Read a form; its `file` goes to the store in parts, under `name`.

    Whatever goes wrong, no part stays behind. Raises InvalidRequest, PayloadTooLarge.
    """
    too_large = PayloadTooLarge(f"file: over {max_bytes} bytes; send several files")
    form, taken, began = _Form(_boundary(request)), 0, time.monotonic()
    parts: list[FilePart] = []
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > max_bytes + _FORM_BYTES:
        raise too_large

    async def put() -> None:
        data = form.take()
        ref = await in_store(store.put, f"{name}/{len(parts)}", data)
        parts.append(FilePart(ref, len(data)))

    try:
        async for chunk in request.stream():
            form.feed(chunk)
            if taken + form.waiting > max_bytes:
                raise too_large
            if time.monotonic() - began > LONGEST_UPLOAD_S:
                raise InvalidRequest(f"file: not here after {LONGEST_UPLOAD_S} s; send several")
            if form.waiting >= PART_BYTES:
                taken += form.waiting
                await put()
        if not form.ended:
            raise InvalidRequest("the form is incomplete: its last boundary is missing")
        if form.waiting:
            await put()
    except BaseException:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(remove(store, [part.ref for part in parts]))
        raise
    return Uploaded(form.fields, form.filename, parts)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequest("Content-Type: send multipart/form-data with purpose and file")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise InvalidRequest("Content-Encoding: a form is sent as it is")
    return boundary


class _Form:
    """A form as it is read: fields whole, the file's bytes until they are taken."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.ended = False
        self._file, self._field = bytearray(), bytearray()
        self._header_name, self._header_value = bytearray(), bytearray()
        self._disposition, self._name, self._in_file, self._small = b"", "", False, 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_header_field": self._on_header_name,
                "on_header_value": self._on_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_end": self._end,
            },
        )

    @property
    def waiting(self) -> int:
        """Bytes of the file that can be taken."""
        return len(self._file)

    def take(self) -> bytes:
        """The file's bytes so far."""
        data = bytes(self._file)
        self._file.clear()
        return data

    def feed(self, chunk: bytes) -> None:
        """Read on. Raises InvalidRequest."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequest(f"the form cannot be read: {error}") from None

    def _begin(self) -> None:
        self._disposition = b""
        self._field.clear()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise InvalidRequest("the form has a part without a name")
        self._name = options[b"name"].decode("utf-8", "replace")
        self._in_file = self._name == "file"
        if self._in_file:
            if self.filename is not None:
                raise InvalidRequest("file: one at a time")
            self.filename = options.get(b"filename", b"").decode("utf-8", "replace")[-255:]

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file += data[start:end]
        else:
            self._count(end - start)
            self._field += data[start:end]

    def _end_part(self) -> None:
        if not self._in_file:
            self.fields[self._name] = self._field.decode("utf-8", "replace")

    def _end(self) -> None:
        self.ended = True

    def _count(self, size: int) -> None:
        self._small += size
        if self._small > _MAX_FIELDS_BYTES:
            raise PayloadTooLarge(f"the form's fields are over {_MAX_FIELDS_BYTES} bytes")
