"""`wherry webhooks list | retry`, for operators.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from .terminal import AsJson, Url, connected, print_error, show, stdout, table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    webhooks = typer.Typer(no_args_is_help=True)
    webhooks.command("list")(list_webhooks)
    webhooks.command("retry")(retry)
    app.add_typer(webhooks, name="webhooks", help="Webhooks that wait, or were given up.")


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
    with connected(url) as client:
        found = client.get(f"/v2/webhooks?status={status}&limit={limit}")
    if as_json:
        for webhook in found["webhooks"]:
            typer.echo(json.dumps(webhook))
        return
    if found["webhooks"]:
        show(_table(found["webhooks"], "due_at" if waiting else "failed_at"))
    totals = found["totals"]
    stdout.print(
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
    with connected(url) as client:
        calls = [{"job_ids": [job_id]} for job_id in jobs or ()] or [{}]
        counts = [client.post("/v2/webhooks:retry", call)["retried"] for call in calls]
    stdout.print(f"{sum(counts)} tried again")
    without = [job_id for job_id, count in zip(jobs or (), counts, strict=False) if not count]
    for job_id in without:
        print_error(f"no webhook of job {job_id!r} was given up; `wherry webhooks list` has those")
    raise typer.Exit(1 if without else 0)


def _table(webhooks: list[dict[str, Any]], when: str) -> Table:
    rows = [
        (one["job_id"], one[when], str(one["tries"]), one["url"], one["error"] or "")
        for one in webhooks
    ]
    columns = ("job", when.removesuffix("_at"), "tries", "url", "error")
    return table(columns, rows, fold="error")
