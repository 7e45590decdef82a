"""`wherry runs list | show | watch | pause | resume | cancel | finish | retry | clone | ...`.

Exit status 0: all went well; 1: something failed, the run watched included; 2: the command was not
understood.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ..protocol.errors import NotFound, WherryError
from .client import Client
from .command_inputs import parameters_of
from .run_pick_command import pick
from .run_quality import quality_lines
from .run_shown import lines_of, show_compared, show_runs, watched
from .run_views import RunView
from .terminal import AsJson, Url, connected, print_error, print_json, stdout

RunId = Annotated[str, typer.Argument(help="A run's id.")]
RunIds = Annotated[list[str], typer.Argument(help="Ids of runs.")]

#: What `Runs.clone` calls its own arguments.
_ARGUMENTS = ("self", "run_id")

#: Seconds that a server which is away is waited for.
_PATIENCE_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    runs = typer.Typer(no_args_is_help=True)
    for name, command in (
        ("list", list_runs),
        ("show", show_run),
        ("watch", watch),
        ("pause", pause),
        ("resume", resume),
        ("cancel", cancel),
        ("finish", finish),
        ("retry", retry),
        ("clone", clone),
        ("fetch", fetch),
        ("compare", compare),
        ("pick", pick),
        ("forget", forget),
    ):
        runs.command(name)(command)
    app.add_typer(runs, name="runs", help="Data sets that the fleet annotates by itself.")


def list_runs(
    state: Annotated[str, typer.Option(help="Only those in a state: running, held, failed.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List runs."""
    with connected(url, _PATIENCE_S) as client:
        show_runs(client.runs.list(state, limit), as_json=as_json)


def show_run(id: RunId, url: Url = "", as_json: AsJson = False) -> None:  # noqa: A002 # what people type
    """Show a run as it stands."""
    with connected(url, _PATIENCE_S) as client:
        run = client.runs.get(id)
        quality = [] if as_json or not run.shards.done else quality_of(client, id)
    if as_json:
        print_json(run.model_dump(mode="json"))
    else:
        for label, told in [*lines_of(run), *quality]:
            line = Text.assemble(f"{label:12}", told)
            stdout.print(line, soft_wrap=True, highlight=False)


def quality_of(client: Client, run_id: str) -> list[tuple[str, str]]:
    """What finished shards tell, a line a thing; none from a server that does not tell."""
    try:
        return quality_lines(client.runs.quality(run_id))
    except NotFound:
        return []


def watch(
    id: RunId,  # noqa: A002 # what people type
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Follow a run to its end, or until it is held after its sample."""
    with connected(url, _PATIENCE_S) as client:
        run = watched(client, id, as_json=as_json)
    if run.held and not as_json:
        stdout.print(
            f"held after its sample: wherry runs fetch {run.id} --report, then wherry runs resume"
            f" {run.id}",
            soft_wrap=True,
        )
    raise typer.Exit(0 if run.held or (run.state == "succeeded" and not run.rows.failed) else 1)


def pause(ids: RunIds, url: Url = "", as_json: AsJson = False) -> None:
    """Answer no more rows of runs for now."""
    _each(ids, url, lambda client: client.runs.pause, as_json=as_json)


def resume(ids: RunIds, url: Url = "", as_json: AsJson = False) -> None:
    """Let runs go on that were paused, or are held after their sample."""
    _each(ids, url, lambda client: client.runs.resume, as_json=as_json)


def cancel(ids: RunIds, url: Url = "", as_json: AsJson = False) -> None:
    """End runs."""
    _each(ids, url, lambda client: client.runs.cancel, as_json=as_json)


def finish(ids: RunIds, url: Url = "", as_json: AsJson = False) -> None:
    """Have runs that follow their source take no more: they end once all is answered."""
    _each(ids, url, lambda client: client.runs.finish, as_json=as_json)


def retry(ids: RunIds, url: Url = "", as_json: AsJson = False) -> None:
    """Let runs go on that failed, were canceled or expired, from what they have."""
    _each(ids, url, lambda client: client.runs.retry, as_json=as_json)


def clone(
    id: RunId,  # noqa: A002 # what people type
    model: Annotated[str, typer.Option("--model", "-m", help="Another model.")] = "",
    format: Annotated[str, typer.Option("--format", "-f", help="Another format.")] = "",  # noqa: A002 # what people type
    param: Annotated[
        list[str] | None, typer.Option(help="A task parameter, threshold=0.7; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    out: Annotated[str, typer.Option("--out", "-o", help="Another place for its output.")] = "",
    compare: Annotated[str, typer.Option(help="A run to hold it against at its end.")] = "",
    sample: Annotated[
        int | None, typer.Option(min=0, help="Rows to answer first; 0: all at once.")
    ] = None,
    max_errors: Annotated[int | None, typer.Option(min=0, help="Rows that may fail.")] = None,
    max_device_seconds: Annotated[
        float | None, typer.Option(min=0, help="Device time that it may use.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at OUT.")] = False,
    other: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any other field of the run: deadline_s=3600, max_errors=null; may be repeated.",
        ),
    ] = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Start a run again, but for what is said otherwise."""
    texts = {"model": model, "format": format, "name": name, "out": out, "compare": compare}
    numbers = {
        "sample": sample,
        "max_errors": max_errors,
        "max_device_seconds": max_device_seconds,
        "overwrite": True if overwrite else None,
    }
    said: dict[str, Any] = {field: value for field, value in texts.items() if value}
    said |= {field: value for field, value in numbers.items() if value is not None}
    others = parameters_of(other or [], "--set")
    for field in others.keys() & {*said, *_ARGUMENTS, *(("parameters",) if param else ())}:
        why = "is no field of a run" if field in _ARGUMENTS else "has an option, which is given too"
        raise typer.BadParameter(f"--set {field}: {field} {why}")
    said |= others
    with connected(url, _PATIENCE_S) as client:
        if param:
            asked = client.runs.get(id).parameters
            said["parameters"] = {**asked, **parameters_of(param)}
        run = client.runs.clone(id, **said)
    show_runs([run], as_json=as_json)


def fetch(
    id: RunId,  # noqa: A002 # what people type
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to; OUT.zip has all in one."),
    ] = None,
    format: Annotated[  # noqa: A002 # what people type
        str, typer.Option("--format", "-f", help="Default: by OUT's name, else the run's.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end first.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="The page about it alone; of a held run too.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Write a run's output here."""
    with connected(url, _PATIENCE_S) as client:
        if wait:
            client.runs.wait(id)
        if report:
            path = client.runs.report(id, out or "", overwrite=overwrite)
        else:
            path = client.runs.fetch(id, out or "", format=format, overwrite=overwrite)
    if as_json:
        print_json({"id": id, "out": str(path)})
    else:
        stdout.print(str(path), soft_wrap=True, highlight=False, markup=False)


def compare(
    id: RunId,  # noqa: A002 # what people type
    other: Annotated[str, typer.Argument(help="The run to compare with.")],
    label: Annotated[str, typer.Option(help="Only rows to which one of them gave it.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show.")] = 20,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Lay two runs over the same rows side by side, least agreement first."""
    with connected(url, _PATIENCE_S) as client:
        found = client.runs.compare(id, other, label=label, limit=limit)
    if as_json:
        print_json(found)
    else:
        show_compared(id, other, found)


def forget(ids: RunIds, url: Url = "", as_json: AsJson = False) -> None:
    """Let ended runs go, with what the fleet keeps of them."""
    with connected(url, _PATIENCE_S) as client:
        bad = 0
        for run_id in ids:
            try:
                client.runs.forget(run_id)
            except WherryError as error:
                bad += 1
                print_error(error.message)
            else:
                if as_json:
                    print_json({"id": run_id, "forgotten": True})
    raise typer.Exit(1 if bad else 0)


def _each(
    ids: list[str],
    url: str,
    verb: Callable[[Client], Callable[[str], RunView]],
    *,
    as_json: bool,
) -> None:
    """Do something to runs; what fails stops no other."""
    found: list[RunView] = []
    bad = 0
    with connected(url, _PATIENCE_S) as client:
        for call in (partial(verb(client), run_id) for run_id in ids):
            try:
                found.append(call())
            except WherryError as error:
                bad += 1
                print_error(error.message)
    if found:
        show_runs(found, as_json=as_json)
    raise typer.Exit(1 if bad else 0)
