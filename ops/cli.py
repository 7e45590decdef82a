"""The `wherry` command. Each room offers its sub-commands; a command whose extra is not installed
says so in one line when it is called, so that a client-only install works.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from typer import Typer

#: The room that registers the commands, the commands, the extra that brings what they need.
_ROOMS = (
    (
        "client.commands",
        ("submit", "status", "result", "models", "queues"),
        "client",
    ),
    ("client.job_commands", ("jobs", "cancel"), "client"),
    (
        "client.fleet_commands",
        ("workers", "drain", "undrain", "load", "unload", "reload"),
        "client",
    ),
    ("client.annotate_command", ("annotate",), "annotate"),
    ("client.scaling_command", ("scaling",), "client"),
    ("client.run_commands", ("runs",), "client"),
    ("client.batch_commands", ("batch",), "client"),
    ("client.dead_commands", ("dead",), "client"),
    ("client.webhook_commands", ("webhooks",), "client"),
    ("workers.commands", ("worker", "sweep"), "worker"),
    ("api.access.commands", ("keys",), "api"),
    ("ops.task_commands", ("tasks", "new-task"), "client"),
    ("ops.export_command", ("export",), "export"),
    ("ops.check_command", ("check",), "worker"),
    ("ops.logs_command", ("logs",), "client"),
    ("ops.doctor.command", ("doctor",), "worker"),
    ("ops.failover_command", ("failover",), "worker"),
    ("ops.tune_command", ("tune",), "worker"),
    ("ops.capacity_command", ("capacity",), "client"),
    ("ops.commands", ("up",), "local"),
    ("ops.service_commands", ("api", "flower", "redis"), "local"),
    ("ops.join_command", ("join-file",), "worker"),
    ("", ("demo",), "demo"),
)


def main() -> None:
    """Run the command line."""
    try:
        import typer
    except ModuleNotFoundError as error:
        sys.exit(_missing(error, "client"))
    app = typer.Typer(
        name="wherry",
        help="A queue-based asynchronous inference fleet.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    say = typer.Option(
        False, "--version", help="Print the version.", is_eager=True, callback=_print_version
    )

    env_file = typer.Option(
        "",
        "--env-file",
        metavar="FILE",
        help="NAME=value lines for the command; its own environment goes before.",
        callback=_load_env,
    )

    @app.callback()
    def options(version: bool = say, env_file: str = env_file) -> None:
        pass

    app.command("version")(_version)
    for module, commands, extra in _ROOMS:
        if module:
            _register(app, module, commands, extra)
    try:
        _without_flag_types(typer.main.get_command(app))()
    except ModuleNotFoundError as error:  # a command imports what it runs when it is called
        sys.exit(_missing(error, _extra_of(_command_of(sys.argv[1:]))))


def _print_version(wanted: bool) -> None:  # as typer calls it
    if wanted:
        _version()
        sys.exit(0)


def _load_env(path: str) -> str:  # as typer calls it
    """Put what a file says into the environment, before the command reads its own options."""
    from pathlib import Path

    from ..protocol.env_file import EnvFileError, load_env

    try:
        for remark in load_env(Path(path), os.environ) if path else ():
            print(f"warning: {remark}", file=sys.stderr)  # noqa: T201 # beside the command's own
    except EnvFileError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    return path


def _without_flag_types(command: Any) -> Any:  # typer's own click, whose types it keeps to itself
    """A command whose help shows flags without `<bool>`, which nobody may type."""
    for parameter in command.get_params(command.context_class(command)):  # --help among them
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        _without_flag_types(inner)
    return command


def _version() -> None:
    """Print the version."""
    print(__version__)  # noqa: T201 # this is what the command is for


def _register(app: Typer, module: str, commands: tuple[str, ...], extra: str) -> None:
    """Add a room's commands, or stand-ins where the room cannot be imported."""
    try:
        room = importlib.import_module(f"wherry.{module}")
    except ModuleNotFoundError as error:
        text = _missing(error, extra)
        for name in commands:
            app.command(
                name,
                help=f"Needs `pip install 'wherry[{extra}]'`.",
                context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
            )(lambda: sys.exit(text))
    else:
        room.register(app)


def _missing(error: ModuleNotFoundError, extra: str) -> str:
    """One line for a missing package. Raises the error again when the package is our own."""
    package = (error.name or "").partition(".")[0]
    if package in {"", "wherry"}:
        raise error
    return f"this command needs {package}: pip install 'wherry[{extra}]'"


def _command_of(words: list[str]) -> str:
    """The command among the words of a command line; options of ours may come before it."""
    known = {command for _, commands, _ in _ROOMS for command in commands}
    return next((word for word in words if word in known), "")


def _extra_of(command: str) -> str:
    return next((extra for _, commands, extra in _ROOMS if command in commands), "all")


if __name__ == "__main__":
    main()
