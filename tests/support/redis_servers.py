"""A fleet whose families have Redis servers of their own: home, one of vision, one of text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from wherry.jobs import JobsSettings
from wherry.ops.redis_server import RedisServer


@dataclass
class RedisServers:
    """Home and the others, by name, and the settings that name them."""

    servers: dict[str, RedisServer]
    settings: JobsSettings

    @property
    def family_redis(self) -> str:
        return family_redis(self.servers)

    def flush(self) -> None:
        for server in self.servers.values():
            with redis.Redis.from_url(server.url) as connection:
                connection.flushall()

    def keys(self, name: str, pattern: str) -> list[bytes]:
        with redis.Redis.from_url(self.servers[name].url) as connection:
            found: list[bytes] = connection.keys(pattern)
            return found


def family_redis(servers: dict[str, RedisServer]) -> str:
    return ",".join(f"{name}={one.url}" for name, one in servers.items() if name != "home")


@contextmanager
def redis_servers(folder: Path, *families: str, **changes: object) -> Iterator[RedisServers]:
    """Home, and one for each of these families."""
    servers: dict[str, RedisServer] = {}
    try:
        for name in ("home", *families):
            servers[name] = RedisServer(folder / name)
            servers[name].start()
        settings = JobsSettings(
            redis_url=servers["home"].url,
            family_redis=family_redis(servers),
            store_dir=folder / "blobs",
            **changes,  # type: ignore[arg-type] # the test names real settings
        )
        yield RedisServers(servers, settings)
    finally:
        for server in servers.values():
            server.stop()
