"""What every command shares: its options, its client, and how it prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from ..protocol.errors import WherryError
from .client import Client

Url = Annotated[str, typer.Option(help="The server; default WHERRY_URL, else the local stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines, one value a line.")]

#: Seconds that a command tries a full or absent server.
PATIENCE_S = 5.0

stdout, stderr = Console(), Console(stderr=True)


@contextmanager
def connected(url: str, patience_s: float | None = None) -> Iterator[Client]:
    """A client whose errors become one line and exit status 1."""
    patience_s = PATIENCE_S if patience_s is None else patience_s
    try:
        with Client(url or None, patience_s=patience_s) as client:
            yield client
    except BrokenPipeError:
        raise  # whoever read us has left: typer ends quietly
    except (WherryError, OSError) as error:
        print_error(text_of(error))
        raise typer.Exit(1) from None


def text_of(error: WherryError | OSError) -> str:
    """What an error says."""
    return error.message if isinstance(error, WherryError) else str(error)


def print_error(text: str) -> None:
    """One line on stderr."""
    stderr.print(f"[red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()
