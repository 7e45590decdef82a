"""`wherry tasks` and `wherry new-task`: what the fleet can do, and the start of something new."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..client.terminal import show
from ..tasks.base import Family, Task
from ..tasks.card import range_of, tensor_line, type_of
from ..tasks.registry import get_task, task_names, task_of
from .new_task import NewTaskError, checkout, write_task
from .task_card import backends_of, card

_MAX_DEFAULT = 16


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command("tasks")(tasks)
    app.command("new-task")(new_task)


def tasks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these, by any name that they go by.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """List every task: family, backends, default model, tensors and parameters."""
    try:
        chosen = [task_of(name) for name in names] if names else list(map(get_task, task_names()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        sys.stdout.write(json.dumps([card(task) for task in chosen], ensure_ascii=False) + "\n")
    else:
        for task in chosen:
            show(task_lines(task))


def new_task(
    name: Annotated[str, typer.Argument(help="Lower-case words with hyphens: bird-song.")],
    family: Annotated[Family, typer.Option(help="Whose workers serve it.")],
    root: Annotated[
        Path | None, typer.Option(help="A checkout of Wherry. Default: the one that runs this.")
    ] = None,
) -> None:
    """Write a task, its backend and its test from templates, and register them."""
    try:
        written = write_task(root or checkout(), name, family)
    except NewTaskError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console(soft_wrap=True, highlight=False)
    for file in written:
        console.print(f"  {escape(str(file))}")
    console.print("It labels rows, as made; docs/adding-a-task.md tells what to change. Check it:")
    module = name.replace("-", "_")
    console.print(
        "  python -m pytest tests/tasks/test_every_task.py "
        f"tests/tasks/backends/{family}/test_{module}.py -k '{name} or {module}'"
    )


def task_lines(task: Task) -> Group:
    """A task under its name, a line or more an entry; an optional tensor ends in a question mark.

    Lines break between words alone: names and types are whole at any width.
    """
    entries: list[tuple[str, list[str]]] = [
        ("family", [task.family]),
        ("backends", [", ".join(backends_of(task))]),
        ("default model", [task.default_model]),
        ("inputs", list(map(tensor_line, task.inputs))),
        ("outputs", list(map(tensor_line, task.outputs))),
        ("parameters", _parameter_lines(task)),
    ]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for title, lines in entries:
        for at, line in enumerate(lines):
            grid.add_row("" if at else f"  {title}", Text(line))
    return Group(Text(task.name, style="bold"), grid)


def _parameter_lines(task: Task) -> list[str]:
    lines = []
    for parameter in task.parameters:
        default = parameter.schema.get("default")
        limits = range_of(task, parameter)
        lines.append(
            f"{parameter.name}: {type_of(task, parameter)}"
            + (f" {limits}" if limits else "")
            + ("" if default is None else f" = {_short(default)}")
        )
    return lines


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_DEFAULT else f"{text[:_MAX_DEFAULT]}..."
