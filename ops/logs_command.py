"""`wherry logs`: what the services of `wherry up` say, or a process that logs JSON."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from ..client.durations import seconds_of
from ..client.terminal import AsJson, print_error, stdout
from .log_lines import LEVELS, LevelReader, LogLine, added, kept
from .log_shown import for_machines, for_people

_COLOURS = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}

_ELSEWHERE = (
    "what runs on another machine, or not by `wherry up`, is with its supervisor:"
    " journalctl -u 'wherry-*' -f; docker compose logs -f; kubectl logs -f deployment/NAME."
    " A file of such lines: --file"
)

Level = Literal["debug", "info", "warning", "error", "critical"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("logs")(logs)


def logs(
    service: Annotated[
        str, typer.Argument(help="One service, or those whose names begin so: worker-vision.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    level: Annotated[Level, typer.Option(help="Only lines that are as grave.")] = "debug",
    since: Annotated[str, typer.Option(help="Only the last 15m, 2h, 3d, or since a time.")] = "",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="The last so many; without --since.")
    ] = 200,
    data_dir: Annotated[Path, typer.Option(help="Folder of the local stack.")] = Path(".wherry"),
    file: Annotated[
        Path | None, typer.Option(help="Another log: one of `wherry up`, or of JSON lines.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what services say. Of other machines, their supervisors know."""
    show = partial(_show, shown=for_machines if as_json else for_people)
    path = file or data_dir / "up.log"
    begin = _begin(since)
    if not path.is_file():
        where = "" if file else f": `wherry up --data-dir {data_dir}` writes it"
        print_error(f"there is no {path}{where}; {_ELSEWHERE}")
        raise typer.Exit(1)
    reader = LevelReader()
    read = [reader.read(text) for text in kept(path)]
    names = sorted({line.service for line in read if line.service})
    if service and not any(name.startswith(service) for name in names) and not follow:
        print_error(f"{path} has no service {service!r}; it has: {', '.join(names) or 'none'}")
        raise typer.Exit(1)

    def wanted(line: LogLine) -> bool:
        return (
            line.service.startswith(service)
            and line.gravity >= LEVELS.index(level)
            and (begin is None or line.at is None or line.at >= begin)
        )

    found: Iterable[LogLine] = filter(wanted, read)
    show(found if begin is not None else deque(found, maxlen=lines))
    if follow:
        with suppress(KeyboardInterrupt):
            show(filter(wanted, map(reader.read, added(path, threading.Event()))))


def _begin(since: str) -> datetime | None:
    """The local time that is meant. Raises BadParameter."""
    if not since:
        return None
    with suppress(ValueError):
        at = datetime.fromisoformat(since)
        return at.astimezone().replace(tzinfo=None) if at.tzinfo else at
    return datetime.now() - timedelta(seconds=seconds_of(since, "--since"))  # noqa: DTZ005 # as up.log


def _show(lines: Iterable[LogLine], shown: Callable[[LogLine], str]) -> None:
    """Print lines; in a terminal, the grave ones in colour."""
    for line in lines:
        if stdout.is_terminal:
            text = Text(shown(line), style=_COLOURS.get(line.level, ""))
            stdout.print(text, soft_wrap=True, highlight=False)
        else:
            sys.stdout.write(f"{shown(line)}\n")
            sys.stdout.flush()
