"""`wherry tune`: which backend serves a model fastest here, tried by hand.

Exit status 0: tried, or nothing else serves the model; 1: the model cannot be served, or nothing
could be tried; 2: the command was not understood.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..client.tables import tuning_table
from ..client.terminal import print_error
from .check_command import DEFAULT_MODELS, Device

if TYPE_CHECKING:
    from ..tasks.catalog import ModelDeclaration


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("tune")(tune)


def tune(
    model: Annotated[str, typer.Argument(help="A model of the declarations.")],
    models: Annotated[
        Path, typer.Option(envvar="WHERRY_MODELS", help="Model declarations.")
    ] = DEFAULT_MODELS,
    device: Device = "cpu",
    precision: Annotated[
        Literal["exact", "fast"] | None,
        typer.Option(help="In the place of what the declaration says."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="An SVG file to draw, rows a second by rows a batch.")
    ] = None,
) -> None:
    """Try what can serve a model here, keep which is fastest, and show all of it.

    Workers that share WHERRY_TUNED_DIR heed it when they load the model next.
    """
    from ..jobs.settings import from_environment
    from ..tasks.backends.device import Device as Place
    from ..tasks.catalog import AUTO
    from ..tasks.check import check_model
    from ..tasks.tuning.plot import plot as drawn
    from ..tasks.tuning.table import told_of
    from ..workers.device import pin, resolve
    from ..workers.settings import WorkerSettings
    from ..workers.tuning import open_tuner

    if plot is not None and not plot.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {plot.parent}", param_hint="--plot")
    declared = _declared(models, model)
    if declared.backend == "endpoint":
        print_error(f"{model}: another server runs it: there is nothing to try here")
        raise typer.Exit(1)
    tried = declared.model_copy(
        update={"backend": AUTO, "precision": precision or declared.precision}
    )
    settings = from_environment(WorkerSettings).model_copy(update={"tune": "on"})
    faults = [f.text for f in check_model(tried, handler_dir=settings.handler_dir) if f.is_error]
    if faults:
        print_error(f"{model}: {'; '.join(faults)}")
        raise typer.Exit(1)
    try:
        asked = resolve(device)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    tuner = open_tuner(settings, Place(pin(asked), asked=asked))
    with Live(
        get_renderable=lambda: Text(tuner.doing),
        console=Console(stderr=True),
        transient=True,
    ):
        verdict = tuner.verdict(tried, anew=True)
    told = told_of(verdict)["tuning"]
    if plot is not None and verdict.size:
        plot.write_text(drawn(verdict, f"{model}: {declared.task}"))
    if as_json:
        typer.echo(json.dumps({"model": model, **told}, indent=2))
    else:
        _show(told, named="" if declared.backend == AUTO else declared.backend)
    raise typer.Exit(1 if verdict.is_trouble and not verdict.tried else 0)


def _declared(models: Path, name: str) -> ModelDeclaration:
    from ..protocol.errors import ModelNotFound
    from ..tasks.catalog import CatalogError
    from ..tasks.models_file import load_catalog

    try:
        return load_catalog(models).get(name)
    except CatalogError as error:
        print_error(str(error))
        raise typer.Exit(1) from None
    except ModelNotFound as error:
        raise typer.BadParameter(error.message) from None


def _show(told: dict[str, object], *, named: str) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if told["tried"]:
        console.print(tuning_table(told))
    console.print(f"{told['chosen']}: {told['why']}", markup=False)
    if named:
        console.print(
            f"models.toml names backend = {named!r} for it: leave that out to have this heeded.",
            markup=False,
        )
