"""`wherry keys create | list | revoke`, on the fleet's Redis.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ...protocol.errors import InvalidRequest, WherryError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

_err = Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(no_args_is_help=True)
    for name, command in (("create", create), ("list", list_keys), ("revoke", revoke)):
        keys.command(name)(command)
    app.add_typer(keys, name="keys", help="API keys: who may ask the fleet, and for what.")


def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is; an admin's names none.")] = "-",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="submit, read, metrics, admin; may be repeated. Default: submit and read."
        ),
    ] = None,
    weight: Annotated[
        float, typer.Option(min=0, max=1000, help="The tenant's share against the others'.")
    ] = 1.0,
    max_waiting: Annotated[int, typer.Option(min=0, help="Jobs that may wait; 0: any.")] = 0,
    max_waiting_bytes: Annotated[int, typer.Option(min=0, help="Bytes that may wait; 0: any.")] = 0,
    submits_per_s: Annotated[float, typer.Option(min=0, help="Jobs a second; 0: any.")] = 0.0,
    expires_in_days: Annotated[float, typer.Option(min=0, max=36_500, help="0: never.")] = 0.0,
    note: Annotated[str, typer.Option(help="Something to know it by.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="Add it to this file of keys, not to Redis.", dir_okay=False)
    ] = None,
    hash_only: Annotated[
        bool,
        typer.Option("--hash-only", help="Store it nowhere: print its entry; the key to stderr."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: once, for only its digest is kept."""
    from . import desk  # with all it needs, which other commands start without

    if hash_only and file is not None:
        raise typer.BadParameter("--hash-only stores the key nowhere: leave out --file")
    ends = timedelta(days=expires_in_days)
    fields = {
        "tenant": tenant,
        "scopes": scope or ["submit", "read"],
        "weight": weight,
        "max_waiting": max_waiting,
        "max_waiting_bytes": max_waiting_bytes,
        "submits_per_s": submits_per_s,
        "expires_at": (datetime.now(UTC) + ends).replace(microsecond=0) if ends else None,
        "note": note,
    }
    with _exit_on_error():
        desk.create(fields, file, hash_only=hash_only, as_json=as_json)


def list_keys(as_json: AsJson = False) -> None:
    """List the keys in Redis; those of a file are the file's."""
    from . import desk

    with _exit_on_error():
        desk.show(as_json=as_json)


def revoke(
    ids: Annotated[list[str], typer.Argument(help="Ids of keys: `wherry_<id>_...`.")],
) -> None:
    """Forget keys: within a second or two no server takes them."""
    from . import desk

    with _exit_on_error():
        desk.revoke(ids)


@contextmanager
def _exit_on_error() -> Iterator[None]:
    """Errors become a line each and exit status 1; what was asked wrongly is 2."""
    try:
        yield
    except (WherryError, OSError) as error:
        text = error.message if isinstance(error, WherryError) else str(error)
        for line in text.splitlines():
            _err.print(f"[red]error:[/] {escape(line)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2 if isinstance(error, InvalidRequest) else 1) from None
