"""`wherry workers | drain | undrain | load | unload | reload`: the fleet, for its operator.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from ..protocol.errors import WherryError
from .client import Client
from .fleet_tables import workers_table
from .operations import repository_path
from .outcomes import attempt, show_error
from .tables import reload_view
from .terminal import AsJson, Url, connected, print_json, show, stdout, watched

Names = Annotated[list[str], typer.Argument(help="Workers, by their node name or id.")]
Models = Annotated[list[str], typer.Argument(help="Names of models.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (workers, drain, undrain, load, unload, reload):
        app.command(command.__name__)(command)


def workers(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show each worker: what it serves, how busy it is, which version it runs."""
    with connected(url) as client:
        watched(lambda: client.get("/v2/workers"), workers_table, again=watch, as_json=as_json)


def drain(
    names: Names,
    end: Annotated[bool, typer.Option("--end", help="End them when nothing runs there.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing runs there.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait; default: no limit.")
    ] = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Have workers finish what they run and claim no more; they stay up, and others go on."""
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout goes with --wait")

    def one(client: Client, name: str) -> str:
        asked = client.workers.drain(name, end=end)
        if wait:
            # By their ids: one that ends is started again under its name.
            for worker in asked["workers"]:
                client.workers.wait_drained(worker, timeout)
        return "drained" if wait else "drains"

    _each(names, one, url=url, as_json=as_json)


def undrain(names: Names, url: Url = "", as_json: AsJson = False) -> None:
    """Let drained workers claim again."""

    def one(client: Client, name: str) -> str:
        client.workers.undrain(name)
        return "may claim again"

    _each(names, one, url=url, as_json=as_json)


def load(models: Models, url: Url = "", as_json: AsJson = False) -> None:
    """Serve models as models.toml declares them now, those unloaded or failed before too."""

    def one(client: Client, name: str) -> str:
        client.post(f"{repository_path(name)}/load", {})
        return "loaded"

    _each(models, one, url=url, as_json=as_json)


def unload(models: Models, url: Url = "", as_json: AsJson = False) -> None:
    """Close models to new requests; jobs that wait are done, then their memory is freed."""

    def one(client: Client, name: str) -> str:
        client.post(f"{repository_path(name)}/unload", {})
        return "unloaded"

    _each(models, one, url=url, as_json=as_json)


def reload(url: Url = "", as_json: AsJson = False) -> None:
    """Have the whole fleet serve what models.toml says now."""
    with connected(url) as client:
        changed = client.post("/v2/repository/reload", {})
    faults = {**changed["failed"], **changed["workers_at_fault"]}
    if as_json:
        print_json(changed)
    else:
        show(reload_view(changed))
    raise typer.Exit(1 if faults or not changed["done"] else 0)


def _each(
    names: list[str],
    one: Callable[[Client, str], str],
    *,
    url: str,
    as_json: bool,
) -> None:
    """Do something to each; what fails stops no other. Exits with 1 where one failed."""
    failed = 0
    with connected(url) as client:
        for name, outcome in attempt((name, partial(one, client, name)) for name in names):
            if isinstance(outcome, WherryError):
                failed += 1
                show_error({"name": name}, outcome, as_json=as_json)
            elif as_json:
                print_json({"name": name, "done": outcome})
            else:
                stdout.print(f"{name}: {outcome}", markup=False, highlight=False)
    raise typer.Exit(1 if failed else 0)
