"""The console's files."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from .extensions import router as extensions
from .files import file_response

router = APIRouter(include_in_schema=False)
router.include_router(extensions)  # before the path that takes all others

_STATIC = files("wherry.api.console") / "static"


@router.get("/console")
async def console(request: Request) -> Response:
    """The way to the console's page, whose files are named relative to it."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/console/", status_code=307)


@router.get("/console/{path:path}")
async def static_file(request: Request) -> Response:
    """One of the console's files; the page itself where none is named."""
    return file_response(request, _STATIC, request.path_params["path"] or "index.html")
