"""`wherry up` and `wherry demo`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from .stack import Stack

#: The catalog of the demo: one small, real model per task.
DEMO_MODELS = Path(__file__).parent / "demo" / "models.toml"

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command("up")(up)
    app.command("demo")(demo)


def up(
    port: Annotated[int, typer.Option(help="Port of the API; 0 picks a free one.")] = 8750,
    models: Annotated[Path, typer.Option(help="Model declarations.")] = DEMO_MODELS,
    redis_url: Annotated[
        str, typer.Option(envvar="WHERRY_REDIS_URL", help="A Redis to use; empty starts one.")
    ] = "",
    data_dir: Annotated[Path, typer.Option(help="Folder of the queue and blobs.")] = Path(
        ".wherry"
    ),
    flower: Annotated[bool, typer.Option(help="Run Flower too.")] = True,
    flower_port: Annotated[int, typer.Option(help="Flower's port; 0 picks a free one.")] = 5555,
    concurrency: Annotated[int, typer.Option("-c", help="Batches in hand per worker.")] = 3,
) -> None:
    """Run the whole stack here until Ctrl-C: Redis, the API, a worker per family, Flower."""
    console = Console(soft_wrap=True)
    stack = Stack(
        models=models,
        data_dir=data_dir,
        port=port,
        redis_url=redis_url,
        flower=flower,
        flower_port=flower_port,
        concurrency=concurrency,
        log=LogView(console),
    )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    console.print(f"Wherry starts with {models}; models load first")
    with stack:
        console.print(f"[bold]API[/]     {stack.url}  (page: {stack.url}/docs)")
        console.print(f"[bold]Redis[/]   {stack.redis_url}")
        if flower:
            console.print(f"[bold]Flower[/]  {stack.flower_url}")
        console.print(f"[bold]Ready.[/]  export WHERRY_URL={stack.url}   (Ctrl-C stops)")
        stopped.wait()
    console.print("Stopped in order.")


class LogView:
    """One log of all services, each line behind its service's name and colour."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._colours: dict[str, str] = {}

    def __call__(self, service: str, line: str) -> None:
        """Print a service's line."""
        if not line.strip():
            return
        colour = self._colours.setdefault(service, _COLOURS[len(self._colours) % len(_COLOURS)])
        self._console.print(Text(f"{service:14} ", style=colour) + Text(line))


def demo() -> None:
    """Show the fleet at work on real inputs, and check its answers."""
    from .demo.run import run

    raise typer.Exit(run(Console()))
