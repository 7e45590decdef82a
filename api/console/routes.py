"""The console's files, each with the headers that keep a page to itself."""

from __future__ import annotations

import hashlib
import mimetypes
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ...protocol.errors import NotFound

router = APIRouter(include_in_schema=False)

_STATIC = files("wherry.api.console") / "static"

#: Nothing but this server's own files: no script or style in a page, no frame, no form.
_HEADERS = {
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


@router.get("/console")
async def console(request: Request) -> Response:
    """The way to the console's page, whose files are named relative to it."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/console/", status_code=307)


@router.get("/console/{path:path}")
async def static_file(request: Request) -> Response:
    """One of the console's files; the page itself where none is named."""
    path = request.path_params["path"] or "index.html"
    found = _STATIC.joinpath(*path.split("/"))
    if ".." in path.split("/") or not found.is_file():
        raise NotFound(f"the console has no file {path!r}")
    content = found.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=headers)
