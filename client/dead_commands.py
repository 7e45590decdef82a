"""`wherry dead list | show | replay | drop`: jobs that were aboard too many crashes.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.json import JSON

from .client import Client
from .terminal import AsJson, Url, connected, print_json, stdout, table
from .terminal import show as show_on_stdout

Model = Annotated[str, typer.Option("--model", "-m", help="Only those of this model.")]
Error = Annotated[str, typer.Option(help="Only those whose error holds these words.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters.")]

#: Dead letters that one call lists, replays or drops.
_PAGE = 500


def register(app: typer.Typer) -> None:
    """Add the commands."""
    dead = typer.Typer(no_args_is_help=True)
    for name, command in (
        ("list", list_dead),
        ("show", show),
        ("replay", replay),
        ("drop", drop),
    ):
        dead.command(name)(command)
    app.add_typer(dead, name="dead", help="Jobs whose worker died each time they were run.")


def list_dead(
    model: Model = "",
    error: Error = "",
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List dead letters."""
    found: list[dict[str, Any]] = []
    with connected(url) as client:
        after, total = "", 0
        while all_ or len(found) < limit:
            size = _PAGE if all_ else min(_PAGE, limit - len(found))
            page = client.get(f"/v2/dead?{_query(model, error, size, after)}")
            found += page["jobs"]
            after, total = page["next"] or "", page["total"]
            if not after:
                break
    if as_json:
        for dead in found:
            print_json(dead)
        return
    if not found:
        stdout.print("no dead letters" + (" of this kind" if model or error else ""))
        return
    rows = [
        (
            job["id"],
            job["model_name"],
            job["finished_at"],
            str(job["attempt"]),
            job["error"]["message"],
        )
        for job in found
    ]
    show_on_stdout(table(("id", "model", "died", "attempts", "error"), rows, fold="error"))
    stdout.print(f"{len(found)} of {total} dead letters")


def show(
    id: Annotated[str, typer.Argument(help="A dead letter's id.")],  # noqa: A002 # what people type
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: its history, and what it was asked."""
    with connected(url) as client:
        found = client.get(_path(id))
    if as_json:
        print_json(found)
    else:
        stdout.print(JSON(json.dumps(found)))


def replay(
    ids: Ids = None,
    model: Model = "",
    error: Error = "",
    all_: Annotated[bool, typer.Option("--all", help="All that there are now.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Put dead letters back in their queues, under their ids."""

    def one(client: Client, job_id: str) -> None:
        client.post(f"{_path(job_id)}/replay", {})

    _each("replay", "replayed", one, ids, (model, error), all_=all_, url=url, as_json=as_json)


def drop(
    ids: Ids = None,
    model: Model = "",
    error: Error = "",
    all_: Annotated[bool, typer.Option("--all", help="All that there are now.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Give dead letters up: their payloads are removed."""

    def one(client: Client, job_id: str) -> None:
        client.delete(_path(job_id))

    _each("drop", "dropped", one, ids, (model, error), all_=all_, url=url, as_json=as_json)


def _each(
    verb: str,
    past: str,
    one: Callable[[Client, str], None],
    ids: list[str] | None,
    filters: tuple[str, str],
    *,
    all_: bool,
    url: str,
    as_json: bool,
) -> None:
    """Do something to the ids given, or to all that the filters let through."""
    if bool(ids) == (all_ or any(filters)):
        raise typer.BadParameter("name ids, or use --all, --model or --error")
    done: list[str] = []
    with connected(url) as client:
        for job_id in ids or ():
            one(client, job_id)
            done.append(job_id)
        # Pages go from the newest to the oldest: what dies again meanwhile is not met twice.
        after, more = "", not ids
        while more:
            page = client.post(f"/v2/dead:{verb}?{_query(*filters, _PAGE, after)}", {})
            done += page[past]
            after, more = page["next"] or "", bool(page["next"])
    if as_json:
        for job_id in done:
            print_json({"id": job_id, "done": past})
    else:
        stdout.print(f"{past} {len(done)}")


def _query(model: str, error: str, limit: int, after: str) -> str:
    return urlencode({"model": model, "error": error, "limit": limit, "after": after})


def _path(job_id: str) -> str:
    return f"/v2/dead/{quote(job_id, safe='')}"
