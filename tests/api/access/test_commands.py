"""`wherry keys`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from typer.testing import CliRunner

from wherry.api.access.book import read_keys
from wherry.api.access.commands import register
from wherry.api.access.keys import digest


@pytest.fixture
def keys(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WHERRY_REDIS_URL", redis_url)
    # A fleet of their own: the session's API would be closed for good by a key that it saw.
    monkeypatch.setenv("WHERRY_KEY_PREFIX", "commands")
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    register(app)

    def call(*arguments: str, status: int = 0) -> tuple[str, str]:
        done = CliRunner().invoke(app, ["keys", *arguments])
        assert done.exit_code == status, done.output
        return done.stdout, done.stderr

    return call


def stored(redis_url: str) -> str:
    with redis.Redis.from_url(redis_url) as connection:
        return repr(connection.hgetall("commands:keys"))


def test_a_key_is_shown_once_and_kept_as_a_digest(keys: Any, redis_url: str) -> None:
    out, told = keys("create", "--tenant", "acme", "--scope", "submit", "--weight", "3")
    token = out.strip()
    assert token.startswith("wherry_")
    assert "only time" in told
    assert digest(token) in stored(redis_url)
    assert token.rpartition("_")[2] not in stored(redis_url)
    listed, _ = keys("list", "--json")
    [seen] = map(json.loads, listed.splitlines())
    assert (seen["tenant"], seen["scopes"], seen["weight"]) == ("acme", ["submit"], 3.0)
    assert token.split("_")[1] == seen["id"]
    assert digest(token) not in listed
    table, _ = keys("list")
    assert seen["id"] in table
    keys("revoke", seen["id"])
    assert keys("list", "--json") == ("", "")
    _, error = keys("revoke", seen["id"], status=1)
    assert f"no key '{seen['id']}' in Redis" in error


def test_keys_go_into_a_file(keys: Any, redis_url: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    wishes = ("--max-waiting", "1000", "--submits-per-s", "2.5", "--expires-in-days", "30")
    first, _ = keys("create", "--tenant", "acme", "--file", str(path), *wishes, "--note", 'a "b"')
    second, _ = keys("create", "--scope", "admin", "--file", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    found = read_keys(path)
    for key, token in zip(found.values(), (first, second), strict=True):
        assert key.fits(token.strip())
    limits = next(iter(found.values())).caller.limits
    assert (limits.max_waiting, limits.submits_per_s) == (1000, 2.5)
    assert stored(redis_url) == "{}"


def test_an_entry_can_be_printed_and_kept_nowhere(keys: Any, redis_url: str) -> None:
    entry, told = keys("create", "--tenant", "acme", "--hash-only")
    assert digest(told.strip()) in entry
    assert entry.startswith("[[keys]]")
    made, _ = keys("create", "--tenant", "acme", "--hash-only", "--json")
    assert digest(json.loads(made)["key"]) == json.loads(made)["hash"]
    assert stored(redis_url) == "{}"


@pytest.mark.parametrize("columns", ["80", None])
def test_keys_are_listed_whole(
    columns: str | None, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = ("--max-waiting", "1000000", "--max-waiting-bytes", "12345678901")
    note = "of the [team] that looks after pictures of the harbour"
    token, _ = keys("create", "--tenant", "a" * 32, *limits, "--note", note)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    else:
        monkeypatch.delenv("COLUMNS")
    [titles, line] = keys("list")[0].splitlines()
    assert titles.split() == ["id", "tenant", "scopes", "weight", "limits", "expires", "note"]
    for whole in (token.split("_")[1], "a" * 32, "submit, read", "1000000", "12345678901", note):
        assert whole in line


def test_what_cannot_be_a_key_is_told(keys: Any) -> None:
    _, error = keys("create", "--tenant", "acme", "--scope", "root", status=2)
    assert "scopes[0]: Input should be 'submit', 'read', 'metrics' or 'admin'" in error
    _, error = keys("create", "--scope", "submit", status=2)
    assert "names no tenant; any other does" in error
