"""Forms of many files (RFC 7578), read as they come: whole folders are larger than memory."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ...protocol.errors import InvalidRequest, PayloadTooLarge

#: Bytes of all that is no file's content, per file and in all.
_HEAD_BYTES, _FIELD_BYTES = 8192, 65_536


def boundary_of(request: Request) -> bytes | None:
    """What divides a form's parts; None for a body that is no form. Raises InvalidRequest."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidRequest("Content-Type: a form needs its boundary")
    return boundary


class FilesForm:
    """A form as it is fed: files' bytes are handed on, other fields are kept whole."""

    def __init__(
        self, boundary: bytes, begin: Callable[[str], None], data: Callable[[bytes], None]
    ) -> None:
        """`begin` hears the name of each file as its sender gives it, `data` its bytes."""
        self.fields: dict[str, str] = {}
        self.ended = False
        self._begin_file, self._take = begin, data
        self._head, self._header, self._value = 0, bytearray(), bytearray()
        self._disposition = b""
        self._name, self._is_file, self._field = "", False, bytearray()
        self._small = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Read on. Raises InvalidRequest, PayloadTooLarge."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequest(f"the form cannot be read: {error}") from None

    def close(self) -> None:
        """Raise InvalidRequest unless all of it has come."""
        if not self.ended:
            raise InvalidRequest("the form is incomplete: its last boundary is missing")

    def _part(self) -> None:
        self._disposition, self._head = b"", 0
        self._field.clear()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._value += data[start:end]

    def _end_header(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise InvalidRequest("the form has a part without a name")
        self._name = options[b"name"].decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if self._is_file:
            self._begin_file(options[b"filename"].decode("utf-8", "surrogateescape"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._take(data[start:end])
            return
        self._small += end - start
        if self._small > _FIELD_BYTES:
            raise PayloadTooLarge(f"the form's fields are over {_FIELD_BYTES} bytes")
        self._field += data[start:end]

    def _end_part(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._field.decode("utf-8", "replace")

    def _end(self) -> None:
        self.ended = True

    def _count_head(self, size: int) -> None:
        self._head += size
        if self._head > _HEAD_BYTES:
            raise PayloadTooLarge(f"a part of the form has headers over {_HEAD_BYTES} bytes")
