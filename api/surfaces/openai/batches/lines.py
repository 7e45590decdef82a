"""A batch's input: its lines, out of a file that is never whole in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .....jobs.files import FilePart
from .....jobs.stores import Store
from .....protocol.errors import InvalidRequest
from .....protocol.json_text import parse_json
from ....core.store_threads import in_store


class Line(NamedTuple):
    """A line: its number from 1, where it ends in the file, and its text."""

    number: int
    end: int
    text: bytes


class LineTooLongError(Exception):
    """A line is longer than a request may be."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is too long")
        self.number = number


async def read_lines(
    store: Store, parts: Sequence[FilePart], *, done: int, position: int, max_bytes: int
) -> AsyncIterator[list[Line]]:
    """The lines after `done`, which end at `position`: those of one part at a time.

    Empty lines count but are left out. Raises LineTooLongError, NotFound, Unavailable.
    """
    number, at, rest, start = done, position, b"", 0
    for part in parts:
        start += part.bytes
        if start <= position:
            continue
        data = await in_store(store.get, part.ref)
        if start - part.bytes < position:
            data = data[position - (start - part.bytes) :]
        *whole, rest = (rest + data).split(b"\n")
        found = []
        for text in whole:
            number, at = number + 1, at + len(text) + 1
            if len(text) > max_bytes:
                raise LineTooLongError(number)
            if text.strip():
                found.append(Line(number, at, text))
        if len(rest) > max_bytes:
            raise LineTooLongError(number + 1)
        if found:
            yield found
    if rest.strip():
        yield [Line(number + 1, at + len(rest), rest)]


@dataclass(frozen=True, slots=True)
class LineRequest:
    """A line's request."""

    custom_id: str
    url: str
    body: dict[str, Any]


class LineError(Exception):
    """A line that cannot be a request, in the words of OpenAI's validation."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def read_line(text: bytes) -> LineRequest:
    """A line's request. Raises LineError."""
    try:
        document = parse_json(text, what="the line")
    except InvalidRequest as error:
        raise LineError("invalid_json_line", error.message) from None
    if not isinstance(document, dict):
        raise LineError("invalid_json_line", "the line is JSON, but no object")
    custom_id, url, body = (document.get(name) for name in ("custom_id", "url", "body"))
    if not isinstance(custom_id, str) or not custom_id:
        raise LineError("missing_required_parameter", "custom_id: expected a string", "custom_id")
    if len(custom_id) > _MAX_CUSTOM_ID:
        raise LineError(
            "invalid_custom_id", f"custom_id: {_MAX_CUSTOM_ID} characters at most", "custom_id"
        )
    if document.get("method") != "POST":
        raise LineError("invalid_method", "method: expected POST", "method")
    if not isinstance(url, str):
        raise LineError("missing_required_parameter", "url: expected a path", "url")
    if not isinstance(body, dict):
        raise LineError("missing_required_parameter", "body: expected an object", "body")
    return LineRequest(custom_id, url, body)


#: Characters of a line's own name.
_MAX_CUSTOM_ID = 512
