"""Files inside JSON, as other systems send them: base64, a data URI, or a URL to fetch."""

from __future__ import annotations

import re

from ...protocol.base64_text import decoded
from ...protocol.errors import InvalidRequest
from ...protocol.json_kinds import in_words
from ..egress.named_files import NamedFiles

_DATA_URI = re.compile(r"\s*data:[^,]{0,200}?;base64,", re.IGNORECASE)
_PICTURE_URI = re.compile(r"data:(image/|application/(pdf|dicom)\b)", re.IGNORECASE)

_URL = re.compile(r"[a-z][a-z0-9+.\-]*://", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Whether a text says where a file is, and is not the file itself."""
    return _URL.match(text) is not None


def is_picture_uri(text: str) -> bool:
    """Whether a text is a data URI of a picture or of a document that is read as pictures."""
    return _PICTURE_URI.match(text) is not None


def read_media(text: object, field: str, files: NamedFiles) -> bytes:
    """The bytes of a file. Raises InvalidRequest that names the field: for URLs too, unless the
    operator allows their hosts.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"{field}: expected base64 text, got {in_words(text)}")
    if is_url(text):
        return files.get(text, field)
    uri = _DATA_URI.match(text)
    try:
        return decoded(text, uri.end() if uri else 0)
    except ValueError:
        raise InvalidRequest(f"{field}: not base64") from None


def read_url(text: str, field: str, files: NamedFiles) -> bytes:
    """The file that a URL names, be it a data URI, which has it. Raises InvalidRequest."""
    return read_media(text, field, files) if _DATA_URI.match(text) else files.get(text, field)
