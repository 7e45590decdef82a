"""Keys that come and go while the server runs."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import redis

from wherry.api.access.book import KeyBook, KeyFileError
from wherry.api.access.caller import EVERYONE
from wherry.api.access.keys import Made, make
from wherry.jobs import AsyncQueue, JobsSettings
from wherry.ops.ports import free_port
from wherry.protocol.errors import Unauthorized, Unavailable

from ..keyed import KEYS, write_keys

#: Seconds in which a change has to be known; the book looks every second.
_KNOWN_S = 5.0


@pytest.fixture
def jobs(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> JobsSettings:
    monkeypatch.setattr("wherry.api.access.book._LOOK_S", 0.05)
    return JobsSettings(redis_url=redis_url, key_prefix="book")


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs in a loop of its own."""

    @functools.wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(test(**given))

    return run


class Open:
    """A book that is read from while its file and its Redis change."""

    def __init__(self, jobs: JobsSettings, path: Path | None = None, **wishes: bool) -> None:
        self._queue = AsyncQueue(jobs.redis_url)
        self.book = KeyBook(path, self._queue, jobs, **wishes)

    async def __aenter__(self) -> Open:
        await self.book.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.book.stop()
        await self._queue.close()

    def lets_in(self, token: str) -> bool:
        try:
            self.book.caller(token)
        except Unauthorized:
            return False
        return True

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(_KNOWN_S):
            while not seen():  # noqa: ASYNC110 # the book tells nobody when it has looked
                await asyncio.sleep(0.01)


def put(jobs: JobsSettings, *made: Made) -> None:
    with redis.Redis.from_url(jobs.redis_url) as connection:
        for one in made:
            connection.hset("book:keys", one.key.id, one.key.json_text())


def forget(jobs: JobsSettings, *made: Made) -> None:
    with redis.Redis.from_url(jobs.redis_url) as connection:
        connection.hdel("book:keys", *(one.key.id for one in made))


ONE, OTHER = make(tenant="acme", scopes=["read"]), make(tenant="beta", scopes=["read"])


@in_loop
async def test_without_keys_everyone_is_let_in_and_the_log_says_so(
    jobs: JobsSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with Open(jobs) as opened:
            assert opened.book.caller("") is EVERYONE
            assert opened.book.caller("whatever") is EVERYONE
    assert "no API keys" in caplog.text


@in_loop
async def test_required_keys_let_nobody_in_while_there_are_none(jobs: JobsSettings) -> None:
    async with Open(jobs, required=True) as opened:
        assert not opened.lets_in("")
        put(jobs, ONE)
        await opened.until(lambda: opened.lets_in(ONE.token))


@in_loop
async def test_a_key_in_redis_closes_the_server_while_it_runs(jobs: JobsSettings) -> None:
    async with Open(jobs) as opened:
        put(jobs, ONE)
        await opened.until(lambda: not opened.lets_in(""))
        assert opened.book.caller(ONE.token).tenant == "acme"
        assert not opened.lets_in(OTHER.token)


@in_loop
async def test_a_revoked_key_is_taken_no_more(jobs: JobsSettings) -> None:
    put(jobs, ONE, OTHER)
    async with Open(jobs) as opened:
        assert opened.lets_in(ONE.token)
        forget(jobs, ONE)
        await opened.until(lambda: not opened.lets_in(ONE.token))
        assert opened.lets_in(OTHER.token)


@in_loop
async def test_a_server_without_its_last_key_stays_closed(jobs: JobsSettings) -> None:
    put(jobs, ONE)
    async with Open(jobs) as opened:
        with redis.Redis.from_url(jobs.redis_url) as connection:
            connection.flushall()
        await opened.until(lambda: not opened.lets_in(ONE.token))
        assert not opened.lets_in("")


@in_loop
async def test_a_key_that_cannot_be_read_closes_the_server_all_the_same(
    jobs: JobsSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(jobs.redis_url) as connection:
        connection.hset("book:keys", "x", "{}")
    async with Open(jobs) as opened:
        assert not opened.lets_in("")
    assert "API key x in Redis is none" in caplog.text


@in_loop
async def test_a_file_is_read_again_when_it_changes(jobs: JobsSettings, tmp_path: Path) -> None:
    path = write_keys(tmp_path / "keys.toml", "acme")
    async with Open(jobs, path) as opened:
        assert opened.lets_in(KEYS["acme"].token)
        assert not opened.lets_in(KEYS["beta"].token)
        write_keys(path, "beta", "reader")
        await opened.until(lambda: opened.lets_in(KEYS["beta"].token))
        assert not opened.lets_in(KEYS["acme"].token)


@in_loop
async def test_a_file_that_breaks_changes_nothing(
    jobs: JobsSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_keys(tmp_path / "keys.toml", "acme")
    async with Open(jobs, path) as opened:
        path.write_text("[[keys]]\nid = 1")
        await opened.until(lambda: "the API keys stay as they were" in caplog.text)
        assert opened.lets_in(KEYS["acme"].token)
        path.unlink()
        await asyncio.sleep(0.2)
        assert opened.lets_in(KEYS["acme"].token)
        write_keys(path, "beta", "late")
        await opened.until(lambda: opened.lets_in(KEYS["beta"].token))


@in_loop
async def test_file_and_redis_are_taken_together(jobs: JobsSettings, tmp_path: Path) -> None:
    put(jobs, ONE)
    async with Open(jobs, write_keys(tmp_path / "keys.toml", "beta")) as opened:
        assert opened.lets_in(ONE.token)
        assert opened.lets_in(KEYS["beta"].token)


@in_loop
async def test_an_empty_file_closes_the_server(jobs: JobsSettings, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("")
    async with Open(jobs, path) as opened:
        assert not opened.lets_in("")


@pytest.mark.parametrize("text", [None, "no toml", "[[keys]]\nid = 1", "[[key]]\n"])
@in_loop
async def test_a_file_that_cannot_be_used_keeps_the_server_from_starting(
    jobs: JobsSettings, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "keys.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KeyFileError, match="keys.toml: "):
        async with Open(jobs, path):
            pass


@in_loop
async def test_before_redis_has_told_nobody_is_let_in(jobs: JobsSettings) -> None:
    away = jobs.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    async with Open(away) as opened:
        with pytest.raises(Unavailable, match="cannot be read yet"):
            opened.book.caller("")


@in_loop
async def test_a_tenant_is_known_by_its_keys(jobs: JobsSettings) -> None:
    put(jobs, ONE, make(tenant="acme", scopes=["submit"], weight=3, max_waiting=7))
    async with Open(jobs) as opened:
        acme = opened.book.tenant("acme")
        assert (acme.tenant, acme.weight, acme.limits.max_waiting) == ("acme", 3.0, 7)
        assert not acme.admin
        gone = opened.book.tenant("gone")
        assert (gone.tenant, gone.admin) == ("gone", False)


@in_loop
async def test_a_tenant_is_not_judged_by_the_key_of_its_run(jobs: JobsSettings) -> None:
    """The run's key has the weight that the tenant had when the run began."""
    now = make(tenant="acme", scopes=["submit"], weight=2.0)
    put(jobs, now, make(tenant="acme", scopes=["submit", "read"], weight=9.0, run="acme:r"))
    async with Open(jobs) as opened:
        assert opened.book.tenant("acme").weight == 2.0
