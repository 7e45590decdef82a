"""Files inside JSON, as other systems send them: base64, or a data URI."""

from __future__ import annotations

import base64
import binascii
import re

from ..protocol.errors import InvalidRequest

_DATA_URI = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.\-]*://", re.IGNORECASE)


def read_media(text: object, field: str) -> bytes:
    """The bytes of a file. Raises InvalidRequest that names the field: for URLs too, since the
    server fetches nothing for a client.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"{field}: expected base64 text, got {type(text).__name__}")
    if _URL.match(text):
        raise InvalidRequest(f"{field}: URLs are not fetched; send the file in base64")
    uri = _DATA_URI.match(text)
    try:
        return base64.b64decode(text[uri.end() if uri else 0 :], validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{field}: not base64") from None
