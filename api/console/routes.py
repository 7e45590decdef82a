"""The console's files, each with the headers that keep a page to itself."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from ..http.page import from_browser, page
from .extensions import router as extensions
from .files import HEADERS, file_response

router = APIRouter(include_in_schema=False)
router.include_router(extensions)  # before the path that takes all others

_STATIC = files("wherry.api.console") / "static"

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
        return HTMLResponse(_NO_LIBRARIES, 503, HEADERS)
    return file_response(request, _STATIC, path)
