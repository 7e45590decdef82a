"""Multipart forms (RFC 7578), as HTTP clients write them: parts by name, nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...protocol.errors import InvalidRequest

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";]{1,200})"?', re.IGNORECASE)
_NAME = re.compile(
    rb'^content-disposition:\s*form-data\s*;.*?\bname="([^"]*)"', re.IGNORECASE | re.MULTILINE
)
#: Parts of a form, at most: a video's frames, and what goes with them.
_MAX_PARTS = 4096

_END = b"\r\n"


def is_form(content_type: str) -> bool:
    """Whether a body of that type is a form."""
    return content_type.strip().lower().startswith("multipart/form-data")


def read_form(body: bytes, content_type: str) -> Mapping[str, list[bytes]]:
    """The parts of a form: name -> contents, in order. Raises InvalidRequest."""
    boundary = _BOUNDARY.match(content_type.strip())
    if boundary is None:
        raise InvalidRequest("Content-Type: a form needs its boundary")
    mark = _END + b"--" + boundary[1].encode("latin-1", "replace")
    if body.count(mark) > _MAX_PARTS:
        raise InvalidRequest(f"the form has over {_MAX_PARTS} parts")
    _, *parts = (_END + body).split(mark)
    if not parts or not parts[-1].startswith(b"--"):
        raise InvalidRequest("the form is incomplete: its last boundary is missing")
    found: dict[str, list[bytes]] = {}
    for part in parts[:-1]:
        head, gap, content = part.partition(_END + _END)
        name = _NAME.search(head.replace(_END, b"\n"))
        if not gap or name is None:
            raise InvalidRequest("the form has a part without a name")
        found.setdefault(name[1].decode("utf-8", "replace"), []).append(content)
    return found
