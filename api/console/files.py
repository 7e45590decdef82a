"""Files as the console's pages are given them, each with the headers that keep a page to itself."""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
from importlib.resources.abc import Traversable

from fastapi import Request, Response

from ...protocol.errors import NotFound

#: Nothing but this server's own files: no script or style in a page, no frame, no form.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        " media-src 'self' blob: data:; connect-src 'self'; font-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked again each time, and answered by 304
}


def file_response(request: Request, folder: Traversable, path: str) -> Response:
    """A file of a folder, or that it is the one the browser has. Raises NotFound."""
    found = folder.joinpath(*path.split("/"))
    if ".." in path.split("/") or not found.is_file():
        raise NotFound(f"the console has no file {path!r}")
    return content_response(request, found.read_bytes(), path)


def content_response(request: Request, content: bytes, path: str) -> Response:
    """What a file of that name holds."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"], content = "gzip", _packed(content)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=headers)


@functools.lru_cache(maxsize=256)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
