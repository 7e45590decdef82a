"""Commands that speak to Redis themselves, where it is away, or where its URL is none."""

from __future__ import annotations

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from wherry.api.access import commands as key_commands
from wherry.ops.ports import free_port
from wherry.workers import commands as worker_commands

APP = Typer()
for room in (key_commands, worker_commands):
    room.register(APP)

COMMANDS = ("keys list", "keys create --tenant acme", "keys revoke 0123456789ab", "sweep")


def call(command: str, redis_url: str) -> Result:
    return CliRunner().invoke(APP, command.split(), env={"WHERRY_REDIS_URL": redis_url})


@pytest.mark.parametrize("command", COMMANDS)
def test_the_url_that_was_tried_is_named_without_its_password(command: str) -> None:
    port = free_port()
    done = call(command, f"redis://ops:secret@127.0.0.1:{port}/3")
    [line] = done.stderr.splitlines()
    assert done.exit_code == 1
    assert line.startswith(
        f"error: the queue cannot be reached at redis://ops:***@127.0.0.1:{port}/3"
    )
    assert "WHERRY_REDIS_URL" in line
    assert "secret" not in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_setting_that_cannot_be_read_is_a_line_with_its_name(command: str) -> None:
    done = call(command, "half a secret")
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: WHERRY_REDIS_URL: cannot be read: expected redis://host:port/0")
