"""The `wherry` command. Each room offers its sub-commands; a room whose extra is not installed
says so when its command is called, so that a client-only install works.
"""

from __future__ import annotations

import importlib
import sys

from .. import __version__

#: Room, the commands it registers, the extra that brings what it needs.
_ROOMS = (
    ("client.commands", "submit, status, result, cancel, models, queues", "client"),
    ("workers.commands", "worker", "worker"),
    ("ops.commands", "up, demo", "local"),
)


def main() -> None:
    """Run the command line."""
    try:
        import typer
    except ModuleNotFoundError:
        sys.exit("the wherry command needs an extra: pip install 'wherry[client]'")
    app = typer.Typer(
        name="wherry",
        help="A queue-based asynchronous inference fleet.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.command("version")(_version)
    for module, commands, extra in _ROOMS:
        try:
            importlib.import_module(f"wherry.{module}").register(app)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("wherry"):
                raise
            _offer(app, commands, extra)
    app()


def _version() -> None:
    """Print the version."""
    print(__version__)  # noqa: T201 # this is what the command is for


def _offer(app: object, commands: str, extra: str) -> None:
    """Put stand-ins in the place of commands whose extra is not installed."""
    import typer

    assert isinstance(app, typer.Typer)

    def missing() -> None:
        sys.exit(f"this command needs an extra: pip install 'wherry[{extra}]'")

    for name in commands.split(", "):
        app.command(
            name,
            help=f"Needs `pip install 'wherry[{extra}]'`.",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(missing)
