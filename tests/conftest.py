"""What every room's tests share: a Redis of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from wherry.ops.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for the whole session, with a data folder of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def server(redis_server: RedisServer) -> str:
    """Where the session's server answers; what tests leave there stays."""
    return redis_server.url


@pytest.fixture
def redis_url(server: str) -> str:
    """Where the session's server answers, emptied for this test."""
    with redis.Redis.from_url(server) as connection:
        connection.flushall()
    return server
