"""`wherry export`: a Transformers model as ONNX. What it needs is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("export")(export)


def export(
    model: Annotated[str, typer.Argument(help="A folder with a Transformers model, or a hub id.")],
    out: Annotated[Path, typer.Argument(help="The folder to write; it is made.")],
    task: Annotated[str, typer.Option("--task", "-t", help="The task that it shall do.")],
    tolerance: Annotated[
        float, typer.Option(help="Most that an output may differ from the model's own.", min=0)
    ] = 1e-3,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of OUT that have the same names.")
    ] = False,
) -> None:
    """Write a Transformers model as ONNX, any batch size, with all that feeds it; and compare."""
    from ..tasks.backends.base import ModelRefused
    from ..tasks.export import export as write

    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is no folder")
    if out.is_dir() and Path(model).is_dir() and out.samefile(model):
        raise typer.BadParameter(f"{out} is the model's own folder: name another")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise typer.BadParameter(f"{out} is not empty: name another folder, or use --overwrite")
    try:
        difference = write(model, out, task)
    except (ModelRefused, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{out}: differs from {model} by {difference:.1e} at most", markup=False)
    if not difference <= tolerance:  # NaN is no number that is at most anything
        console.print(f"That is over the tolerance of {tolerance:g}.", markup=False)
        raise typer.Exit(1)
    console.print(f'Serve it with backend = "onnxruntime" and source = "{out}".', markup=False)
