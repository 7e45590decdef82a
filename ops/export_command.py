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
) -> None:
    """Write a Transformers model as ONNX, any batch size, with all that feeds it; and compare."""
    from ..tasks.export import export as write

    try:
        difference = write(model, out, task)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{out}: differs from {model} by {difference:.1e} at most", markup=False)
    if not difference <= tolerance:  # NaN is no number that is at most anything
        console.print(f"That is over the tolerance of {tolerance:g}.", markup=False)
        raise typer.Exit(1)
    console.print(f'Serve it with backend = "onnxruntime" and source = "{out}".', markup=False)
