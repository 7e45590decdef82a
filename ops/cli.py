"""The `wherry` command. Each room offers its sub-commands; a command whose extra is not installed
says so in one line when it is called, so that a client-only install works.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from typer import Typer

#: The room that registers the commands, the commands, the extra that brings what they need.
_ROOMS = (
    (
        "client.commands",
        ("submit", "status", "result", "cancel", "models", "reload", "queues"),
        "client",
    ),
    ("client.annotate_command", ("annotate",), "annotate"),
    ("client.run_commands", ("runs",), "client"),
    ("client.batch_commands", ("batch",), "client"),
    ("client.dead_commands", ("dead",), "client"),
    ("client.webhook_commands", ("webhooks",), "client"),
    ("workers.commands", ("worker", "sweep"), "worker"),
    ("api.access.commands", ("keys",), "api"),
    ("ops.task_commands", ("tasks", "new-task"), "client"),
    ("ops.export_command", ("export",), "export"),
    ("ops.check_command", ("check",), "worker"),
    ("ops.tune_command", ("tune",), "worker"),
    ("ops.capacity_command", ("capacity",), "client"),
    ("ops.commands", ("up",), "local"),
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

    @app.callback()
    def options(version: bool = say) -> None:
        pass

    app.command("version")(_version)
    for module, commands, extra in _ROOMS:
        if module:
            _register(app, module, commands, extra)
    try:
        _without_flag_types(typer.main.get_command(app))()
    except ModuleNotFoundError as error:  # a command imports what it runs when it is called
        sys.exit(_missing(error, _extra_of(next(iter(sys.argv[1:]), ""))))


def _print_version(wanted: bool) -> None:  # as typer calls it
    if wanted:
        _version()
        sys.exit(0)


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


def _extra_of(command: str) -> str:
    return next((extra for _, commands, extra in _ROOMS if command in commands), "all")


if __name__ == "__main__":
    main()
