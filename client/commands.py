"""`wherry submit | status | result | cancel | models | queues`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..protocol.errors import WherryError
from ..tasks.base import Task, TaskInput
from ..tasks.registry import get_task
from .client import Client
from .jobs import JobView
from .tables import jobs_table, models_table, output_table, queues_table

Url = Annotated[str, typer.Option(help="The server; default WHERRY_URL, else the local stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

_out, _err = Console(), Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    for command in (submit, status, result, cancel, models, queues):
        app.command(command.__name__)(command)


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """A client whose errors become one line and exit status 1."""
    try:
        with Client(url or None, patience_s=5.0) as client:
            yield client
    except WherryError as error:
        _err.print(f"[red]error:[/] {error.message}", highlight=False)
        raise typer.Exit(1) from None


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def submit(
    files: Annotated[list[Path] | None, typer.Argument(help="One job each.", exists=True)] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model's name.")] = "",
    text: Annotated[list[str] | None, typer.Option(help="A text; may be repeated.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A request parameter, top_k=3; may be repeated.")
    ] = None,
    id: Annotated[str, typer.Option(help="The job's id; for one job.")] = "",  # noqa: A002
    priority: Annotated[int, typer.Option(min=0, max=9, help="1 is the highest.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, and print the answers.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Submit files or texts as jobs."""
    if not model:
        raise typer.BadParameter("name the model with --model")
    with _client(url) as client:
        task = get_task(client.get(f"/v2/models/{model}")["parameters"]["task"])
        inputs = _inputs(task, files or [], text or [], _parameters(param or []))
        if id and len(inputs) != 1:
            raise typer.BadParameter("--id is for one job")
        names = [name for name, _ in inputs]
        jobs = [client.submit(model, item, id=id or None, priority=priority) for _, item in inputs]
        if not wait:
            _show_jobs(jobs, as_json=as_json, names=names)
            return
        failed = _wait_and_show(client, names, jobs, as_json=as_json)
    raise typer.Exit(1 if failed else 0)


def _inputs(
    task: Task, files: list[Path], texts: list[str], parameters: dict[str, Any]
) -> list[tuple[str, TaskInput]]:
    """Named inputs: a file a job; for text tasks a line a row."""
    spec = task.inputs[0]
    if spec.is_file:
        if not files:
            raise typer.BadParameter(f"{task.name} takes files")
        rows = [(file.name, [file.read_bytes()]) for file in files]
        return [(n, task.input.validated({spec.field: r, **parameters})) for n, r in rows]
    lines = [(file.name, file.read_text().splitlines()) for file in files]
    if texts:
        lines.append(("text", texts))
    if not any(row for _, row in lines):
        raise typer.BadParameter(f"{task.name} takes --text or text files")
    return [(n, task.input.validated({spec.field: r, **parameters})) for n, r in lines]


def _parameters(given: list[str]) -> dict[str, Any]:
    parameters = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals:
            raise typer.BadParameter(f"--param {item!r}: expected name=value")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters


def _show_jobs(jobs: list[JobView], *, as_json: bool, names: list[str] | None = None) -> None:
    if as_json:
        for job in jobs:
            _print_json(job.model_dump(mode="json", exclude={"result"}))
    else:
        _out.print(jobs_table(jobs, names))


def _wait_and_show(client: Client, names: list[str], jobs: list[JobView], *, as_json: bool) -> int:
    """Print each answer as it comes, in order. Answers how many failed."""
    failed, several = 0, len(jobs) > 1 and not as_json
    with _progress(several) as progress:
        bar = progress.add_task("jobs", total=len(jobs))
        for name, job in zip(names, jobs, strict=True):
            try:
                output = client.result(job.id)
            except WherryError as error:
                failed += 1
                _show_error(name, job.id, error, as_json=as_json)
            else:
                if as_json:
                    _print_json(
                        {"id": job.id, "input": name, "output": output.model_dump(mode="json")}
                    )
                else:
                    progress.console.print(output_table(name, job.id, output))
            progress.advance(bar)
    return failed


def _progress(visible: bool) -> Progress:  # one flag, named at the call
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=_out, disable=not visible)


def _show_error(name: str, job_id: str, error: WherryError, *, as_json: bool) -> None:
    if as_json:
        _print_json({"id": job_id, "input": name, "error": error.message, "error_type": error.code})
    else:
        _err.print(f"[red]{name}:[/] {error.message}", highlight=False)


def status(
    ids: Annotated[list[str], typer.Argument(help="Job ids.")],
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show jobs as they stand."""
    with _client(url) as client:
        _show_jobs([client.status(job_id) for job_id in ids], as_json=as_json)


def result(
    id: Annotated[str, typer.Argument(help="A job id.")],  # noqa: A002
    out: Annotated[Path | None, typer.Option(help="Write the answer here, as JSON.")] = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Wait for a job and show its answer."""
    with _client(url) as client:
        output = client.result(id)
    document = output.model_dump_json()
    if out is not None:
        out.write_text(document)
    elif as_json:
        sys.stdout.write(document + "\n")
    else:
        _out.print(output_table("", id, output))


def cancel(
    ids: Annotated[list[str], typer.Argument(help="Job ids.")],
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Cancel jobs."""
    with _client(url) as client:
        _show_jobs([client.cancel(job_id) for job_id in ids], as_json=as_json)


def models(url: Url = "", as_json: AsJson = False) -> None:
    """List the models and their states."""
    with _client(url) as client:
        listed = client.models()
        for entry in listed:
            found = client.get(f"/v2/models/{entry['name']}")
            entry |= {"task": found["parameters"]["task"], "platform": found["platform"]}
    if as_json:
        _print_json(listed)
    else:
        _out.print(models_table(listed))


def queues(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show what waits, what runs, and who runs it."""
    with _client(url) as client:
        if as_json:
            _print_json(client.get("/v2/queues"))
        elif watch:
            _watch(client)
        else:
            _out.print(queues_table(client.get("/v2/queues")))


def _watch(client: Client) -> None:
    with Live(Table(), console=_out, auto_refresh=False) as live:
        try:
            while True:
                live.update(queues_table(client.get("/v2/queues")), refresh=True)
                time.sleep(1)
        except KeyboardInterrupt:
            return
