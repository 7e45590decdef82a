"""What listens where when nobody says otherwise; test_compose.py says it of the containers."""

from __future__ import annotations

from pathlib import Path

from wherry.api.settings import ApiSettings
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, flower_command


def after(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


def test_the_local_stack_listens_on_loopback(tmp_path: Path) -> None:
    assert after(api_command(1), "--host") == "127.0.0.1"
    assert "--address=127.0.0.1" in flower_command(1)
    assert after(RedisServer(tmp_path)._command(), "--bind") == "127.0.0.1"
    assert ApiSettings.model_fields["grpc_host"].default == "127.0.0.1"
    assert ApiSettings.model_fields["grpc_port"].default == 0
