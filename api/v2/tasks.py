"""What the fleet can do: every task as it declares itself, with its golden example."""

from __future__ import annotations

import functools
from typing import Any

from fastapi import APIRouter, Request, Response

from ...protocol.errors import NotFound
from ...tasks.base import Task
from ...tasks.card import card, example_of
from ...tasks.registry import get_task, task_names
from ..core.views import json_response
from ..http.fast_route import FastRoute

router = APIRouter(tags=["tasks"], route_class=FastRoute)


@router.get("/v2/tasks")
async def list_tasks(_: Request) -> Response:
    """Every task there is: tensors, parameters, what a page offers it with."""
    return json_response({"tasks": [_entry(name) for name in task_names()]})


@router.get("/v2/tasks/{task}")
async def show_task(request: Request) -> Response:
    """One task, with an example: a request, and the answer that it should get."""
    task = _task(request.path_params["task"])
    return json_response({**_card(task), "example": example_of(task)})


def _entry(name: str) -> dict[str, Any]:
    """A task of the list; where its package cannot be loaded, the reason."""
    try:
        return _card(get_task(name))
    except ValueError as error:
        return {"name": name, "error": str(error)}


def _task(name: str) -> Task:
    try:
        return get_task(name)
    except ValueError as error:
        raise NotFound(str(error)) from None


@functools.cache  # a task's declaration never changes, and all of them take a tenth of a second
def _card(task: Task) -> dict[str, Any]:
    return card(task)
