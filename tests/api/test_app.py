from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.routing import compile_path

from wherry.api import app as app_module
from wherry.api.app import create_app
from wherry.api.routes import ROUTES
from wherry.jobs import Queue, proof

from .conftest import MODELS, Server

INFER = "/v2/models/embedding/infer"


def test_the_api_needs_no_weights(api_settings, jobs_settings, tmp_path, redis_url, texts):
    """The package is the worker's to have."""
    path = tmp_path / "models.toml"
    path.write_text(MODELS + 'source = "package:no_such_package/weights"\n')
    settings = api_settings.model_copy(update={"models": path})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        assert http.get("/v2/models/embedding").json()["versions"] == ["1", "2"]
        assert http.post("/v2/models/embedding/jobs", json=texts("a")).status_code == 202


@pytest.fixture
def strict(api_settings, jobs_settings, redis_url):
    settings = api_settings.model_copy(update={"strict_parameters": True})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_a_strict_server_refuses_what_nobody_reads(strict, serving, texts):
    answer = strict.post(INFER, json=texts("a", parameters={"normalise": True}))
    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_request")
    assert answer.json()["error"] == "unknown parameter 'normalise', did you mean 'normalize'?"
    known = {
        "normalize": False,
        "priority": 1,
        "timeout": 10**9,
        "on_row_error": "skip",
        "binary_data_output": True,
        "content_type": "str",
    }
    assert strict.post(INFER, json=texts("a", parameters=known)).status_code == 200
    odd = texts("a", outputs=[{"name": "embedding", "parameters": {"top_n": 1}}])
    answer = strict.post(INFER, json=odd)
    assert answer.status_code == 400
    assert answer.json()["error"] == "output 'embedding': unknown parameter 'top_n'"


def test_no_route_is_hidden_by_one_before_it():
    """Rooms are tried in turn: a path of two of them would be the first one's alone."""
    routes = [each for room in ROUTES for each in flat(room.router)]
    assert len(set(routes)) == len(routes)
    for method, path in routes:
        asked = re.sub(r"{\w+(:path)?}", "some-name", path)
        first = next(
            known
            for other, known in routes
            if other == method and compile_path(known)[0].match(asked)
        )
        assert first == path, f"{method} {path} is {first}'s"


def flat(router: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The methods and paths of a router, and of the routers in it."""
    for route in router.routes:
        if inner := getattr(route, "original_router", None):
            yield from flat(inner, prefix + route.include_context.prefix)
        else:
            yield from ((method, prefix + route.path) for method in route.methods)


@pytest.fixture
def jobs_settings(jobs_settings):
    """A fleet of this test's own: the session's API says in the other's that it lives."""
    return jobs_settings.model_copy(update={"key_prefix": "app"})


@pytest.fixture
def shown(jobs_settings, redis_url):
    """The APIs that say that they live."""
    queue = Queue(redis_url)
    yield lambda: list(queue.run(proof.shown(jobs_settings)).apis)
    queue.close()


async def _until(shown: Callable[[], list[str]]) -> None:
    async with asyncio.timeout(10):
        while not shown():  # noqa: ASYNC110 # its word comes by Redis
            await asyncio.sleep(0.01)


async def _tasks() -> int:
    return len(asyncio.all_tasks()) - 1


def test_an_api_that_ends_leaves_nothing_running_and_says_so(
    api_settings, jobs_settings, shown, redis_url
):
    async def live() -> None:
        app = create_app(api_settings, jobs_settings)
        async with app.router.lifespan_context(app):
            assert await _tasks() > 0
            await _until(shown)
        assert await _tasks() == 0
        assert shown() == []

    asyncio.run(live())


def test_one_that_cannot_listen_leaves_nothing_either(
    api_settings, jobs_settings, shown, monkeypatch
):
    @asynccontextmanager
    async def taken(*_: object) -> AsyncIterator[None]:
        await _until(shown)
        raise RuntimeError("the port is taken")
        yield

    async def live() -> None:
        app = create_app(api_settings, jobs_settings)
        with pytest.raises(RuntimeError, match="the port is taken"):
            async with app.router.lifespan_context(app):
                pass
        assert await _tasks() == 0
        assert shown() == []

    monkeypatch.setattr(app_module, "_grpc", taken)
    asyncio.run(live())
