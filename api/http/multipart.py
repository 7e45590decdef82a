"""Multipart forms (RFC 7578), as HTTP clients write them: parts by name, nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice, pairwise

from ...protocol.errors import InvalidRequest

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";]{1,200})"?', re.IGNORECASE)
_NAME = re.compile(
    rb'^content-disposition:\s*form-data\s*;.*?\bname="([^"]*)"', re.IGNORECASE | re.MULTILINE
)
#: Parts of a form, at most: a video's frames, and what goes with them.
_MAX_PARTS = 4096

#: Bytes of a part's headers, at most.
_MAX_HEAD_BYTES = 8192

_END = b"\r\n"


def is_form(content_type: str) -> bool:
    """Whether a body of that type is a form."""
    return content_type.strip().lower().startswith("multipart/form-data")


def read_form(body: bytes, content_type: str) -> Mapping[str, list[memoryview]]:
    """The parts of a form: name -> contents, in order, as views of the body.

    Raises InvalidRequest.
    """
    boundary = _BOUNDARY.match(content_type.strip())
    if boundary is None:
        raise InvalidRequest("Content-Type: a form needs its boundary")
    mark = _END + b"--" + boundary[1].encode("latin-1", "replace")
    found: dict[str, list[memoryview]] = {}
    for start, end in _parts(body, mark):
        gap = body.find(_END + _END, start, min(end, start + _MAX_HEAD_BYTES))
        name = _NAME.search(body[start:gap].replace(_END, b"\n")) if gap >= 0 else None
        if name is None:
            raise InvalidRequest("the form has a part without a name")
        content = memoryview(body)[gap + 2 * len(_END) : end]
        found.setdefault(name[1].decode("utf-8", "replace"), []).append(content)
    return found


def _parts(body: bytes, mark: bytes) -> list[tuple[int, int]]:
    """Where each part begins, after its boundary, and ends. Raises InvalidRequest."""
    matches = islice(re.finditer(re.escape(mark), body), _MAX_PARTS + 2)
    marks = [match.start() for match in matches]
    if body.startswith(mark.removeprefix(_END)):  # no line comes before the first
        marks.insert(0, -len(_END))
    if len(marks) > _MAX_PARTS + 1:
        raise InvalidRequest(f"the form has over {_MAX_PARTS} parts")
    last = marks[-1] + len(mark) if marks else 0
    if body[last : last + 2] != b"--" or not marks:
        raise InvalidRequest("the form is incomplete: its last boundary is missing")
    return [(at + len(mark), end) for at, end in pairwise(marks)]
