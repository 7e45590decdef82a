"""JSON from outside: bounded before it is parsed, since a value takes far more memory than text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from .errors import InvalidRequest, PayloadTooLarge

#: Values of one request's JSON, at most. One takes up to 108 bytes of memory (an object of one
#: number, measured with CPython 3.11) and as little as three of text: `{},`.
MAX_VALUES = 1_000_000


def parse_json(text: bytes | bytearray | str, *, what: str = "the body") -> Any:
    """Parse one document; `what` names it in errors. A byte order mark before it is passed over.

    Raises InvalidRequest for what is no JSON, holds NaN, or nests deeper than 200; PayloadTooLarge
    for more than MAX_VALUES.
    """
    check_size([text], what=what)
    try:
        return from_json(_unmarked(text), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"{what} is not JSON: {error}") from None


def _unmarked(text: bytes | bytearray | str) -> bytes | bytearray | str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    return text.removeprefix(codecs.BOM_UTF8) if text.startswith(codecs.BOM_UTF8) else text


def check_size(texts: Sequence[bytes | bytearray | str], *, what: str) -> None:
    """Refuse documents that hold too much together. Raises PayloadTooLarge; allocates nothing."""
    if sum(map(len, texts)) <= MAX_VALUES:
        return
    # What begins a value, or stands between two; those inside strings count too, harmlessly.
    if sum(map(_marks, texts)) > MAX_VALUES:
        raise PayloadTooLarge(
            f"{what} has over {MAX_VALUES} JSON values (commas and brackets); send fewer rows, or "
            "tensors as binary data"
        )


def _marks(text: bytes | bytearray | str) -> int:
    if isinstance(text, str):
        return text.count(",") + text.count("[") + text.count("{")
    return text.count(b",") + text.count(b"[") + text.count(b"{")
