"""APIs of one fleet find each other's store, or say that they do not."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.api.core.fleet_store import FleetStore, Presence
from wherry.api.settings import ApiSettings
from wherry.jobs import AsyncQueue, JobsSettings, queue_format
from wherry.jobs.fleet import heartbeat
from wherry.jobs.keys import Keys
from wherry.jobs.stores import FolderStore
from wherry.protocol.errors import NotFound, StoreUnavailable, Unavailable
from wherry.tasks.catalog import Catalog

from ...support.waiting import until
from ..conftest import Server, Worker

#: Apart from the session's API, whose place in its fleet is not to be disturbed.
PREFIX = "stores"
KEYS = Keys(PREFIX)


class Api:
    """An API's place in the fleet, without the API."""

    def __init__(self, folder: Path, queue: AsyncQueue, settings: JobsSettings) -> None:
        self.store = FleetStore(FolderStore(folder))
        self.now_s = 0.0
        self.presence = Presence(queue, self.store, Catalog([]), settings, clock=lambda: self.now_s)

    async def look(self) -> bool:
        await self.presence.look()
        return not self.store.wrong


Make = Callable[[str], Api]
Play = Callable[[Make, Any], Any]


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Callable[[Play], None]:
    """Run a test's own play with a maker of APIs, by the name of their folder, and Redis."""
    settings = JobsSettings(redis_url=redis_url, key_prefix=PREFIX)

    def run(play: Play) -> None:
        async def work() -> None:
            queue = AsyncQueue(redis_url)
            try:
                await play(lambda name: Api(tmp_path / name, queue, settings), queue.redis)
            finally:
                await queue.close()

        asyncio.run(work())

    return run


def test_those_with_one_store_agree(run: Callable[[Play], None]) -> None:
    async def play(api: Make, redis: Any) -> None:
        first, second = api("a"), api("a")
        assert [await each.look() for each in (first, second, first, second)] == [True] * 4
        assert len(await redis.hkeys(KEYS.apis)) == 2

    run(play)


def test_a_newcomer_with_another_store_takes_no_payloads(run: Callable[[Play], None]) -> None:
    async def play(api: Make, redis: Any) -> None:
        first, wrong = api("a"), api("b")
        first.store.put("payload/x", b"x")
        assert await first.look()
        assert not await wrong.look()
        assert "/a)" in wrong.store.wrong, "it names both"
        assert "/b)" in wrong.store.wrong
        with pytest.raises(StoreUnavailable, match="WHERRY_STORE_URL"):
            wrong.store.put("payload/y", b"y")
        with pytest.raises(NotFound, match="not the one that the other APIs"):
            wrong.store.get("payload/x")
        assert len(await redis.hkeys(KEYS.apis)) == 1
        # Nor soon after the others are gone: they may only be restarting.
        await redis.delete(KEYS.apis)
        for wrong.now_s in (0, 119):
            assert not await wrong.look()
        assert await api("a").look()
        for wrong.now_s in (120, 300):
            assert not await wrong.look()
        await redis.delete(KEYS.apis)
        assert not await wrong.look()
        wrong.now_s += 120
        assert await wrong.look(), "nobody is locked out for ever"

    run(play)


def test_whoever_comes_when_nobody_lives_says_which_store_it_is(
    run: Callable[[Play], None],
) -> None:
    async def play(api: Make, redis: Any) -> None:
        assert await api("old").look()
        await redis.delete(KEYS.apis)
        assert await api("new").look()
        assert not await api("old").look()

    run(play)


def test_an_emptied_redis_locks_nobody_out(run: Callable[[Play], None]) -> None:
    async def play(api: Make, redis: Any) -> None:
        first, second = api("a"), api("a")
        assert await first.look()
        assert await second.look()
        await redis.flushall()
        assert await second.look()
        assert await first.look()

    run(play)


def test_an_emptied_store_gets_another_mark(
    run: Callable[[Play], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(api: Make, redis: Any) -> None:
        first, second = api("a"), api("a")
        assert await first.look()
        assert await second.look()
        shutil.rmtree(tmp_path / "a")
        # The other lives: it may be this one's mount that was lost.
        assert not await first.look()
        assert not await second.look()
        await redis.delete(KEYS.apis)  # neither says any more that it lives
        assert await first.look()
        assert await second.look()
        assert "emptied or its mount is lost" in caplog.text

    run(play)


@pytest.fixture
def apis(
    api_settings: ApiSettings, jobs_settings: JobsSettings, worker: Worker, tmp_path: Path
) -> Iterator[list[httpx.Client]]:
    """Two APIs of one fleet; the second has another store."""
    with contextlib.ExitStack() as stack:
        clients = []
        for name in ("right", "wrong"):
            changes = {"key_prefix": PREFIX, "store_dir": tmp_path / name}
            server = Server(api_settings, jobs_settings.model_copy(update=changes))
            url = stack.enter_context(server)
            clients.append(stack.enter_context(httpx.Client(base_url=url, timeout=10)))
            until(lambda: bool(worker.queue.redis.exists(KEYS.apis)))
        yield clients


def texts(size: int) -> dict[str, Any]:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["x" * size]}
    return {"inputs": [tensor]}


def test_an_api_with_another_store_says_so_and_serves_what_is_small(
    apis: list[httpx.Client],
) -> None:
    right, wrong = apis

    def told(client: httpx.Client) -> bool:
        return "WHERRY_STORE_URL" in client.get("/v2/health/ready").text

    until(lambda: told(wrong))
    large = wrong.post("/v2/models/embedding/jobs", json=texts(200_000))
    assert (large.status_code, large.json()["error_type"]) == (503, "store_unavailable")
    assert "is not the one that the other APIs of this fleet use" in large.json()["error"]
    assert wrong.post("/v2/models/embedding/jobs", json=texts(10)).status_code == 202
    assert right.post("/v2/models/embedding/jobs", json=texts(200_000)).status_code == 202
    assert not told(right)


def test_a_result_that_is_in_another_store_is_told_so(http: httpx.Client, worker: Worker) -> None:
    submitted = http.post("/v2/models/embedding/jobs", json=texts(10)).json()["id"]
    worker.serve()
    redis: Any = worker.queue.redis
    redis.hset(f"wherry:job:{submitted}", "result_ref", "result/elsewhere")
    answer = http.get(f"/v2/jobs/{submitted}/result")
    assert answer.status_code == 404
    assert "no blob 'result/elsewhere' in folder:" in answer.json()["error"]


NEWER = queue_format.Build("9.9", 2, 2)


def test_an_api_whose_jobs_the_others_cannot_read_takes_none_until_they_are_gone(
    run: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(api: Make, _: Any) -> None:
        first = api("a")
        await first.look()
        newer = api("a")
        with monkeypatch.context() as patch:
            patch.setattr(queue_format, "OURS", NEWER)
            await newer.presence.begin()
            with pytest.raises(
                Unavailable, match=r"2 \(Wherry 9.9\) is newer than that of the API"
            ):
                newer.presence.check()
            await newer.look()
        await first.look()
        first.presence.check()  # it was here before
        await first.presence.stop()
        with monkeypatch.context() as patch:
            patch.setattr(queue_format, "OURS", NEWER)
            await newer.look()
        newer.presence.check()

    run(play)


def test_it_waits_until_workers_leave_its_jobs_alone(
    run: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(api: Make, redis: Any) -> None:
        newer = api("a")
        queue = AsyncQueue(
            "redis://{host}:{port}/0".format(**redis.connection_pool.connection_kwargs)
        )
        settings = JobsSettings(key_prefix=PREFIX)
        monkeypatch.setattr(queue_format, "OURS", NEWER)
        try:
            await queue.run(heartbeat("old", {"families": ["text"]}, settings))
            await newer.look()
            assert "that of worker old, 1 (an earlier Wherry)" in newer.presence.refused
            knowing: dict[str, object] = {
                "version": "0.1.0",
                "queue_format": [1, 1],
                "state": "ready",
            }
            await queue.run(heartbeat("old", knowing, settings))
            await newer.look()
            assert "that of worker old" in newer.presence.refused, "it claims still"
            knowing["state"] = "waiting"
            await queue.run(heartbeat("old", knowing, settings))
            await newer.look()
            assert newer.presence.refused == ""
        finally:
            await queue.close()

    run(play)


def test_a_refused_api_is_not_ready_and_says_why_to_who_submits(
    jobs_settings: JobsSettings, api_settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_settings.model_copy(update={"key_prefix": "formats"})
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    with Server(api_settings, jobs) as first, httpx.Client(base_url=first) as client:
        until(lambda: client.get("/v2/workers").json()["apis"])
        monkeypatch.setattr(queue_format, "OURS", NEWER)
        with Server(api_settings, jobs) as url, httpx.Client(base_url=url) as newer:
            reasons = newer.get("/v2/health/ready").json()["reasons"]
            assert any("its queue format 2" in reason for reason in reasons)
            refused = newer.post("/v2/models/embedding/jobs", json={"inputs": [text]})
            assert (refused.status_code, refused.json()["error_type"]) == (503, "unavailable")
            assert "docs/upgrading.md" in refused.json()["error"]
