"""`wherry submit | status | result | models | queues`.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import from_json
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..protocol import codec
from ..protocol.errors import WherryError
from ..tasks.base import Task, TaskInput, TaskOutput
from ..tasks.registry import get_task, task_names
from .address import is_web_url
from .client import Client
from .command_inputs import check_parameters, named_inputs, parameters_of
from .jobs import JobView
from .operations import Output, model_path
from .outcomes import attempt, show_error, show_jobs
from .tables import model_view, models_table, output_table, queues_table
from .terminal import AsJson, OutFile, Url, connected, print_json, show, stderr, stdout, watched

#: Characters of a job's id.
_LONGEST_ID = 256

Timeout = Annotated[float | None, typer.Option(min=0, help="Seconds to wait; default: no limit.")]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    for command in (submit, status, result, models, queues):
        app.command(command.__name__)(command)


def submit(
    files: Annotated[
        list[Path] | None, typer.Argument(help="One job each.", exists=True, dir_okay=False)
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model's name.")] = "",
    text: Annotated[list[str] | None, typer.Option(help="A text; may be repeated.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A request parameter, top_k=3; may be repeated.")
    ] = None,
    id: Annotated[str, typer.Option(help="The job's id; for one job.")] = "",  # noqa: A002 # what people type
    priority: Annotated[int, typer.Option(min=0, max=9, help="1 is the highest.")] = 0,
    webhook: Annotated[str, typer.Option(help="A URL to call at each job's end.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait, and print the answers.")] = False,
    timeout: Timeout = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Submit files or texts as jobs. What fails stops no other."""
    if not model:
        raise typer.BadParameter("name the model with --model")
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout goes with --wait")
    if len(id) > _LONGEST_ID:
        raise typer.BadParameter(f"--id has 1 to {_LONGEST_ID} characters")
    if webhook and not is_web_url(webhook):
        raise typer.BadParameter(
            f"--webhook {webhook!r}: expected one like https://example.org/hook"
        )
    with connected(url) as client:
        parameters = parameters_of(param or [])
        task = _task(client, model)
        check_parameters(task, parameters)
        inputs = named_inputs(task, files or [], text or [], parameters)
        if id and len(inputs) != 1:
            raise typer.BadParameter("--id is for one job")

        def send(read: Callable[[], TaskInput]) -> JobView:
            return client.submit(model, read(), id=id or None, priority=priority, webhook=webhook)

        sent = attempt((name, partial(send, read)) for name, read in inputs)
        if wait:
            failed = _show_answers(client, list(sent), timeout, as_json=as_json)
        else:
            failed = show_jobs(sent, "input", as_json=as_json)
    raise typer.Exit(1 if failed else 0)


def _task(client: Client, model: str) -> Task:
    name = str(client.get(model_path(model)).get("parameters", {}).get("task", ""))
    if name not in task_names():
        raise WherryError(f"model {model!r} has no task that this client knows")
    return get_task(name)


def _show_answers(
    client: Client,
    sent: list[tuple[str, JobView | WherryError]],
    timeout: float | None,
    *,
    as_json: bool,
) -> int:
    """Print each answer as it comes, in order. Answers how many failed."""
    failed = 0
    with _progress(visible=len(sent) > 1 and not as_json) as progress:
        bar = progress.add_task("jobs", total=len(sent))
        for name, outcome in sent:
            named = {"input": name}
            try:
                if isinstance(outcome, WherryError):
                    raise outcome
                named["id"] = outcome.id
                output = client.result(outcome.id, timeout)
            except WherryError as error:
                failed += 1
                show_error(named, error, as_json=as_json)
            else:
                if as_json:
                    warning = {"warning": told} if (told := _warning(output)) else {}
                    print_json({**named, "output": _document(output), **warning})
                else:
                    _show_warning(name, output)
                    progress.console.print(output_table(name, outcome.id, output), crop=False)
            progress.advance(bar)
    return failed


def _progress(*, visible: bool) -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=stdout, disable=not visible)


def _document(output: Output) -> Any:
    """An answer as JSON."""
    if isinstance(output, TaskOutput):
        return from_json(output.model_dump_json())
    return from_json(codec.encode_response(output)[0])


def _warning(output: Output) -> str:
    """What is to be known of an answer; "" for nothing."""
    return output.warning if isinstance(output, TaskOutput) else ""


def _show_warning(name: str, output: Output) -> None:
    if told := _warning(output):
        line = f"[yellow]{escape(name)}:[/] {escape(told)}"
        stderr.print(line, highlight=False, soft_wrap=True)


def status(
    ids: Annotated[list[str], typer.Argument(help="Job ids.")],
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show jobs as they stand."""
    with connected(url) as client:
        found = attempt((job_id, partial(client.status, job_id)) for job_id in ids)
        failed = show_jobs(found, "id", as_json=as_json)
    raise typer.Exit(1 if failed else 0)


def result(
    id: Annotated[str, typer.Argument(help="A job id.")],  # noqa: A002 # what people type
    out: Annotated[Path | None, OutFile(help="Write the answer here, as JSON.")] = None,
    timeout: Timeout = None,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Wait for a job and show its answer."""
    with connected(url) as client:
        try:
            output = client.result(id, timeout)
        except WherryError as error:
            show_error({"id": id}, error, as_json=as_json)
            raise typer.Exit(1) from None
        _show_warning(id, output)
        if out is not None:
            out.write_text(json.dumps(_document(output), ensure_ascii=False), encoding="utf-8")
        elif as_json:
            print_json(_document(output))
        else:
            show(output_table("", id, output))


def models(
    name: Annotated[str, typer.Argument(help="All that is known of one model.")] = "",
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List the models, their states and what they take; or show one."""
    with connected(url) as client:
        if name:
            metadata = client.get(model_path(name))
            print_json(metadata) if as_json else show(model_view(metadata))
            return
        listed = client.models()
    if as_json:
        print_json(listed)
    else:
        show(models_table(listed))
        for entry in listed:
            if entry.get("note"):
                show(Text(f"{entry['name']}:{entry['version']}: {entry['note']}"))


def queues(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show what waits, what runs, and who runs it."""
    with connected(url) as client:
        watched(lambda: client.get("/v2/queues"), queues_table, again=watch, as_json=as_json)
