"""The console's files, each with the headers that keep a page to itself."""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from ...protocol.errors import NotFound
from ..http.page import from_browser, page

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

#: What stands for the page in a checkout where its libraries are not yet.
_NO_LIBRARIES = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Wherry</title>"
    "<h1>The console is not whole</h1><p>Its two libraries are not beside its files. Run"
    " <code>make console</code> in the checkout, then load this page again. The API is not touched"
    " by this; <a href='../docs'>its page</a> is there.</p></html>"
)


@router.get("/")
async def root(request: Request) -> Response:
    """The console for a browser, the API's page for programs."""
    if from_browser(request.scope["headers"]):
        return await console(request)
    return await page(request)


@router.get("/console")
async def console(request: Request) -> Response:
    """The way to the console's page, whose files are named relative to it."""
    headers = {"Vary": "Accept"}
    return RedirectResponse(f"{request.scope.get('root_path', '')}/console/", 307, headers)


@router.get("/console/{path:path}")
async def static_file(request: Request) -> Response:
    """One of the console's files; the page itself where none is named."""
    path = request.path_params["path"] or "index.html"
    if path == "index.html" and not (_STATIC / "vendor" / "lit-html").is_dir():
        return HTMLResponse(_NO_LIBRARIES, 503, _HEADERS)
    return file_response(request, _STATIC, path)


def file_response(request: Request, folder: Traversable, path: str) -> Response:
    """A file of a folder, or that it is the one the browser has. Raises NotFound."""
    try:
        if ".." in path.split("/"):
            raise FileNotFoundError
        content = folder.joinpath(*path.split("/")).read_bytes()
    except (OSError, ValueError):  # no file, a folder, a longer name than files have, a NUL
        raise NotFound(f"the console has no file {path[:200]!r}") from None
    return content_response(request, content, path)


def content_response(request: Request, content: bytes, path: str) -> Response:
    """What a file of that name holds."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match", "").removeprefix("W/") == tag:  # so proxies pack it
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"], content = "gzip", _packed(content)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=headers)


@functools.lru_cache(maxsize=256)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
