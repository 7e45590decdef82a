from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ....tasks.catalog import ModelDeclaration
from ...core.service import Service
from ...core.views import json_response
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .requests import error_shape

router = APIRouter(tags=["openai"], route_class=FastRoute)


@router.get("/v1/models")
@shaped(error_shape)
async def models(request: Request) -> Response:
    """Every declared model."""
    catalog = Service.of(request).catalog
    return json_response(
        {"object": "list", "data": [_view(catalog.get(name)) for name in catalog.names()]}
    )


@router.get("/v1/models/{model:path}")
@shaped(error_shape)
async def model(request: Request) -> Response:
    """One model."""
    return json_response(_view(Service.of(request).catalog.find(request.path_params["model"])))


def _view(declared: ModelDeclaration) -> dict[str, Any]:
    # We keep no time of a declaration; clients require the field and do nothing with it.
    return {
        "id": declared.name,
        "object": "model",
        "created": 0,
        "owned_by": "wherry",
        "task": declared.task,
    }
