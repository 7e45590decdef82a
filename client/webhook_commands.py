"""`wherry webhooks list | retry`, for operators.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..protocol.errors import WherryError
from .client import Client

Url = Annotated[str, typer.Option(help="The server; default WHERRY_URL, else the local stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines, one value a line.")]

#: Seconds that a command tries a full or absent server.
_PATIENCE_S = 5.0

_out, _err = Console(), Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    webhooks = typer.Typer(no_args_is_help=True)
    webhooks.command("list")(list_webhooks)
    webhooks.command("retry")(retry)
    app.add_typer(webhooks, name="webhooks", help="Webhooks that wait, or were given up.")


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """A client whose errors become one line and exit status 1."""
    try:
        with Client(url or None, patience_s=_PATIENCE_S) as client:
            yield client
    except WherryError as error:
        _err.print(f"[red]{escape(error.message)}[/red]")
        raise typer.Exit(1) from None


def list_webhooks(
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Those that are still tried, soonest first.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List the webhooks that were given up, latest first."""
    status = "waiting" if waiting else "failed"
    with _client(url) as client:
        found = client.get(f"/v2/webhooks?status={status}&limit={limit}")
    if as_json:
        for webhook in found["webhooks"]:
            typer.echo(json.dumps(webhook))
        return
    if found["webhooks"]:
        _out.print(_table(found["webhooks"], "due_at" if waiting else "failed_at"))
    totals = found["totals"]
    _out.print(
        f"{found['waiting']} waiting, {found['failed']} given up; "
        f"{totals['delivered']} delivered, {totals['lost']} lost so far"
    )


def retry(
    jobs: Annotated[list[str] | None, typer.Argument(help="Ids of jobs.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    url: Url = "",
) -> None:
    """Deliver webhooks that were given up after all."""
    if bool(jobs) == every:
        raise typer.BadParameter("name jobs, or say --all")
    with _client(url) as client:
        retried = client.post("/v2/webhooks:retry", {"job_ids": jobs} if jobs else {})["retried"]
    _out.print(f"{retried} tried again")
    if jobs and not retried:
        raise typer.Exit(1)


def _table(webhooks: list[dict[str, Any]], when: str) -> Table:
    table = Table()
    for title in ("job", when, "tries", "url", "error"):
        table.add_column(title.replace("_at", ""), no_wrap=title == "job")
    for one in webhooks:
        cells = (one["job_id"], one[when], str(one["tries"]), one["url"], one["error"] or "")
        table.add_row(*map(escape, cells))
    return table
