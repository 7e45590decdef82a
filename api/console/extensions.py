"""Drawings of answers that other installed packages bring; docs/adding-a-task.md shows one.

An entry point of `wherry.console` is called as the task is, and leads to a module in whose folder
`answer.js` and the files that it imports lie.
"""

from __future__ import annotations

import json
import logging
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from ...protocol.errors import NotFound
from ...tasks import entry_points
from .routes import content_response, file_response

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

#: What of a package's folder a page may have: nothing of its Python.
_SERVED = (".css", ".js", ".json", ".png", ".svg", ".webp", ".woff2")


@router.get("/console/extensions.json")
async def extensions(request: Request) -> Response:
    """By task, the module that draws its answers; nothing is imported for it."""
    modules = {
        task: f"extensions/{quote(task, safe='')}/answer.js"
        for task in sorted(entry_points.installed("wherry.console"))
    }
    return content_response(request, json.dumps(modules).encode(), "extensions.json")


@router.get("/console/extensions/{task}/{path:path}")
async def extension_file(request: Request) -> Response:
    """One of the files that a package brings."""
    task, path = request.path_params["task"], request.path_params["path"]
    if not path.endswith(_SERVED):
        raise NotFound(f"the console has no file {path!r}")
    return file_response(request, _folder(task), path)


def _folder(task: str) -> Traversable:
    """Where a package's files lie. Raises NotFound."""
    point = entry_points.installed("wherry.console").get(task)
    if point is None:
        raise NotFound(f"no package brings a drawing of {task!r}")
    try:
        return files(entry_points.load(point))
    except (ValueError, TypeError) as error:
        log.warning("no drawing of %s: %s", task, error)
        raise NotFound(
            f"the drawing of {task!r} cannot be loaded; the API's log says why"
        ) from None
