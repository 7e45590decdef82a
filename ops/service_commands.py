"""`wherry api`, `wherry flower` and `wherry redis`: one service each, for systemd and the like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ..workers.commands import EnvFile
from .commands import LogLevel, tls_files
from .ports import LOOPBACK

if TYPE_CHECKING:
    from .exposure import Exposure

TlsCert = Annotated[
    Path | None, typer.Option(envvar="WHERRY_TLS_CERT", help="Its certificate (PEM).")
]
TlsKey = Annotated[Path | None, typer.Option(envvar="WHERRY_TLS_KEY", help="That one's key (PEM).")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("api")(api)
    app.command("flower")(flower)
    app.command("redis")(redis)


def api(
    host: Annotated[
        str,
        typer.Option(
            envvar="WHERRY_HOST",
            help="Address that it listens on; other than loopback, it asks for API keys.",
        ),
    ] = LOOPBACK,
    port: Annotated[int, typer.Option(envvar="WHERRY_PORT", min=1, max=65535)] = 8750,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    env_file: EnvFile = None,
    log_level: LogLevel = "warning",
) -> None:
    """Run the API alone, in the place of this process; its settings come from the environment."""
    from .exposure import Exposure
    from .fleet_access import open_defaults
    from .services import api_command

    del env_file  # what it says is in the environment
    exposure = Exposure(host, tls=tls_files(tls_cert, tls_key, None))
    _check(exposure)
    if exposure.is_open:
        for name, value in open_defaults(exposure).items():
            os.environ.setdefault(name, value)
    _become(api_command(port, host=host, log_level=log_level, tls=exposure.tls))


def flower(
    host: Annotated[
        str,
        typer.Option(envvar="WHERRY_FLOWER_HOST", help="Other than loopback, it needs a password."),
    ] = LOOPBACK,
    port: Annotated[int, typer.Option(envvar="WHERRY_FLOWER_PORT", min=1, max=65535)] = 5555,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    env_file: EnvFile = None,
    log_level: LogLevel = "warning",
) -> None:
    """Run Flower alone, in the place of this process. WHERRY_FLOWER_AUTH is its name:password."""
    from .exposure import Exposure
    from .fleet_access import FLOWER_NEEDS_A_PASSWORD
    from .services import flower_command

    del env_file
    exposure = Exposure(host, tls=tls_files(tls_cert, tls_key, None))
    _check(exposure)
    if auth := os.environ.get("WHERRY_FLOWER_AUTH"):
        os.environ.setdefault("FLOWER_BASIC_AUTH", auth)
    if exposure.is_open and not os.environ.get("FLOWER_BASIC_AUTH"):
        _refuse(f"--host {host}: Flower has no password: {FLOWER_NEEDS_A_PASSWORD}")
    _become(flower_command(port, host=host, log_level=log_level, tls=exposure.tls))


def redis(
    host: Annotated[
        str,
        typer.Option(
            envvar="WHERRY_REDIS_HOST",
            help="Address that it listens on beside loopback; then WHERRY_REDIS_PASSWORD is due.",
        ),
    ] = LOOPBACK,
    port: Annotated[int, typer.Option(envvar="WHERRY_REDIS_PORT", min=1, max=65535)] = 6379,
    data_dir: Annotated[Path, typer.Option(help="Folder of what it keeps.")] = Path(
        ".wherry/redis"
    ),
    memory: Annotated[
        str,
        typer.Option(
            envvar="WHERRY_REDIS_MEMORY", help="What it may hold, as 2gb. Default: half of it."
        ),
    ] = "",
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    env_file: EnvFile = None,
) -> None:
    """Run the queue's Redis alone, in the place of this process, as `wherry up` runs it."""
    from .checks import StackError
    from .exposure import Exposure
    from .fleet_access import given_password
    from .redis_access import RedisAccess
    from .redis_server import NoRedisError, RedisServer, checked_size, machine_bytes

    del env_file
    exposure = Exposure(host, tls=tls_files(tls_cert, tls_key, None))
    _check(exposure)
    try:
        password = given_password(None) or ""
        if exposure.is_open and not password:
            _refuse(
                f"--host {host}: whoever reaches it would own the fleet: set"
                " WHERRY_REDIS_PASSWORD, and the same in WHERRY_REDIS_URL"
            )
        server = RedisServer(
            data_dir,
            port=port,
            maxmemory=checked_size(memory) or str(machine_bytes() // 2),
            access=RedisAccess(exposure, password),
        )
        command = server.prepare()
    except (StackError, NoRedisError, ValueError, OSError) as error:
        _refuse(str(error))
    _become(command)


def _check(exposure: Exposure) -> None:
    from .checks import StackError

    try:
        exposure.check(by_name=False)  # what others call it only they know
    except StackError as error:
        _refuse(str(error))


def _refuse(text: str) -> NoReturn:
    """End as what cannot start as things are, so that nobody starts it again."""
    from ..workers.threads import EXIT_UNUSABLE

    typer.echo(f"error: {text}", err=True)
    raise typer.Exit(EXIT_UNUSABLE)


def _become(command: Sequence[str]) -> NoReturn:
    os.execv(command[0], list(command))  # noqa: S606 # no shell
