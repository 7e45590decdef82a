"""`wherry join-file`: what a worker on another machine needs, in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("join-file")(join_file)


def join_file(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; - prints it.", dir_okay=False)
    ] = Path("wherry.env"),
    store_dir: Annotated[
        Path | None,
        typer.Option(help="Where the worker's machine has the store's folder mounted."),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Where it has models.toml. Default: this one is taken along."),
    ] = None,
) -> None:
    """Write what a worker on another machine needs: `wherry worker FAMILY --env-file wherry.env`.

    The fleet is the environment's: `wherry --env-file .wherry/fleet.env join-file` for one that
    `wherry up` runs here.
    """
    from ..jobs.settings import JobsSettings, SettingsError, from_environment
    from ..protocol.env_file import write_private
    from .join_file import Elsewhere, JoinError, JoinFile

    try:
        made = JoinFile(from_environment(JobsSettings), os.environ, Elsewhere(store_dir, models))
        if str(output) == "-":
            typer.echo(made.text, nl=False)
        else:
            write_private(output, made.text)
    except (SettingsError, JoinError, OSError) as error:
        for line in str(error).splitlines():
            typer.echo(f"error: {line}", err=True)
        raise typer.Exit(1) from None
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    if str(output) != "-":
        typer.echo(f"{output} is a key to the fleet: bring it over by scp, keep it from others")
        typer.echo(f"There: wherry worker FAMILY --env-file {output.name}")
