"""`wherry export`: a Transformers model as ONNX. What it needs is imported when it is called.

Exit status 0: written, and it answers as the model does; 1: it differs too much, or the model
cannot be exported; 2: the command was not understood.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..client.terminal import print_error
from ..protocol.nearest import meant


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
    from ..tasks.backends.sources import opened
    from ..tasks.export import export as write
    from ..tasks.export import exported_tasks

    if task not in exported_tasks():
        hint = meant(task, exported_tasks()) or f"; there are {', '.join(exported_tasks())}"
        raise typer.BadParameter(f"no export for task {task!r}{hint}")
    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is no folder")
    if out.is_dir() and Path(model).is_dir() and out.samefile(model):
        raise typer.BadParameter(f"{out} is the model's own folder: name another")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise typer.BadParameter(f"{out} is not empty: name another folder, or use --overwrite")
    try:
        opened(model)
    except ModelRefused as error:
        raise typer.BadParameter(str(error)) from None
    try:
        difference = write(model, out, task)
    except (ModelRefused, OSError, ValueError) as error:
        print_error(f"{model}: {error}")
        raise typer.Exit(1) from None
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{out}: differs from {model} by {difference:.1e} at most", markup=False)
    if not difference <= tolerance:  # NaN is no number that is at most anything
        console.print(f"That is over the tolerance of {tolerance:g}.", markup=False)
        raise typer.Exit(1)
    console.print(f'Serve it with backend = "onnxruntime" and source = "{out}".', markup=False)
