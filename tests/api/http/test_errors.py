from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from wherry.api.access.caller import EVERYONE
from wherry.api.app import create_app
from wherry.api.http import errors
from wherry.api.http.entry import Door
from wherry.api.http.fast_route import FastRoute, ShortWay
from wherry.protocol import errors as tree


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/v2/models/embedding/infer", 405, "method_not_allowed"),
        ("DELETE", "/v2/jobs/x", 405, "method_not_allowed"),
        ("PUT", "/v2", 405, "method_not_allowed"),
        ("POST", "/v2/health/live", 405, "method_not_allowed"),
        ("GET", "/v2/", 404, "not_found"),
        ("GET", "/v2/jobs/a/b/c", 404, "not_found"),
    ],
)
def test_http_errors_are_json(http, method, path, status, kind):
    answer = http.request(method, path)
    assert (answer.status_code, answer.json()["error_type"]) == (status, kind)
    assert set(answer.json()) == {"error", "error_type", "request_id"}
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (tree.InvalidTensor, 400),
        (tree.PayloadTooLarge, 413),
        (tree.JobNotFound, 404),
        (tree.Conflict, 409),
        (tree.QueueFull, 503),
        (tree.DeadlineExceeded, 504),
        (tree.JobExpired, 410),
        (tree.RowError, 400),
        (tree.OutOfMemory, 500),
        (tree.WorkerLost, 500),
    ],
)
def test_the_trees_errors_have_a_status(error, status):
    assert errors.status_of(error()) == status


def test_an_unexpected_error_tells_nothing(api_settings, jobs_settings, caplog):
    app = create_app(api_settings, jobs_settings)

    @app.get("/broken")
    async def broken(request: Request) -> None:
        raise ZeroDivisionError("the secret")

    app.state.keys = SimpleNamespace(caller=lambda _: EVERYONE)  # what its lifespan would set

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/broken")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "internal error",
        "error_type": "internal_error",
        "request_id": answer.headers["x-request-id"],
    }
    assert answer.headers["x-request-id"] in caplog.text


def test_a_plain_route_that_breaks_tells_nothing_either(caplog):
    async def nothing(*_: object) -> None:
        raise AssertionError("the framework was asked")

    class Room:
        router = APIRouter(route_class=FastRoute)

    @Room.router.get("/broken/{name}")
    async def broken(request: Request) -> Response:
        raise ZeroDivisionError(request.path_params["name"])

    app = Door(ShortWay(nothing, Room.router.routes, errors.answer))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://x"
        ) as client:
            return await client.get("/broken/secret")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error_type"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "ZeroDivisionError: secret" in caplog.text
    assert answer.headers["x-request-id"] in caplog.text


def test_the_short_way_leaves_mounts_and_other_paths_to_the_framework():
    seen = []

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope.get("root_path", ""), scope["path"]))
        await Response("framework")(scope, receive, send)

    router = APIRouter(route_class=FastRoute)

    @router.get("/plain")
    async def plain(request: Request) -> Response:
        return Response("plain")

    app = ShortWay(framework, router.routes, errors.answer)

    async def ask(root_path: str, path: str) -> str:
        transport = httpx.ASGITransport(app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get(path)).text

    assert asyncio.run(ask("", "/plain")) == "plain"
    assert asyncio.run(ask("", "/other")) == "framework"
    assert asyncio.run(ask("/under", "/plain")) == "framework"
    assert seen == [("", "/other"), ("/under", "/plain")]
