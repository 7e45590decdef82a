"""`wherry jobs | cancel`: the jobs of a fleet by what they are, not by their ids alone.

Exit status 0: all went well; 1: something failed; 2: the command was not understood.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.text import Text

from ..protocol.errors import WherryError
from ..protocol.states import JobState
from .client import Client
from .durations import seconds_of
from .fleet_tables import job_view, listed_jobs_table
from .jobs import JobView
from .outcomes import attempt, show_error, show_jobs
from .terminal import AsJson, Url, connected, print_error, print_json, show, stdout

#: Jobs of one call.
_PAGE = 1000

#: Jobs that a cancel ends.
_UNDER_WAY = (JobState.QUEUED, JobState.RUNNING)

Status = Annotated[
    JobState | None, typer.Option("--status", "-s", help="Only those in this state.")
]
Model = Annotated[str, typer.Option("--model", "-m", help="Only those of this model.")]
Tenant = Annotated[str, typer.Option(help="Only this tenant's; `-` for jobs without one.")]
OlderThan = Annotated[str, typer.Option(help="Only those submitted longer ago: 90s, 15m, 2h, 3d.")]
NewerThan = Annotated[str, typer.Option(help="Only those submitted since: 90s, 15m, 2h, 3d.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (jobs, cancel):
        app.command(command.__name__)(command)


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which jobs are meant."""

    model: str
    tenant: str
    older_than: str
    newer_than: str
    error: str = ""

    def __bool__(self) -> bool:
        """Whether it leaves any out."""
        return any((self.model, self.tenant, self.older_than, self.newer_than, self.error))

    def query(self, status: JobState | None) -> dict[str, str]:
        """As the list takes it. Raises BadParameter."""
        now = datetime.now(UTC)
        spans = {
            "until": (self.older_than, "--older-than"),
            "since": (self.newer_than, "--newer-than"),
        }
        times = {
            name: (now - timedelta(seconds=seconds_of(span, option))).isoformat()
            for name, (span, option) in spans.items()
            if span
        }
        named = {
            "status": status.value if status else "",
            "model": self.model,
            "tenant": self.tenant,
            "error": self.error,
        }
        return {**{name: value for name, value in named.items() if value}, **times}


def _found(client: Client, query: dict[str, str], away: set[str]) -> Iterator[dict[str, Any]]:
    """All jobs of a filter, newest first, a page at a time; `away` gets families that are not
    among them, for their Redis cannot be reached.
    """
    after = ""
    while True:
        more = {"after": after} if after else {}
        page = client.get(f"/v2/jobs?{urlencode({**query, 'limit': str(_PAGE), **more})}")
        yield from page["jobs"]
        away.update(page.get("away", ()))
        after = page["next"] or ""
        if not after:
            return


def _tell_away(away: set[str]) -> int:
    """Say which families could not be asked. Answers how many."""
    if away:
        names = ", ".join(sorted(away))
        print_error(f"jobs of {names} are not among these, for their Redis is away: try again")
    return len(away)


def jobs(
    id: Annotated[str, typer.Argument(help="One job, with its history.")] = "",  # noqa: A002 # what people type
    status: Status = None,
    model: Model = "",
    tenant: Tenant = "",
    error: Annotated[
        str, typer.Option(help="Only those that failed so, by the error's type: out_of_memory.")
    ] = "",
    older_than: OlderThan = "",
    newer_than: NewerThan = "",
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first; or show one."""
    chosen = _Filter(model, tenant, older_than, newer_than, error)
    query = chosen.query(status)
    if id and query:
        raise typer.BadParameter("name a job, or say which are meant, not both")
    with connected(url) as client:
        if id:
            job = client.status(id)
            print_json(job.model_dump(mode="json")) if as_json else show(job_view(job))
            return
        away = set[str]()
        found = itertools.islice(_found(client, query, away), None if all_ else limit)
        told = 0
        if as_json:
            for each in found:
                print_json(each)
                told += 1
        else:
            listed = [JobView.model_validate(each) for each in found]
            nothing = "no jobs" + (" of this kind" if query else "")
            show(listed_jobs_table(listed) if listed else nothing)
            told = len(listed)
        served = [] if told or not model else client.models()  # or is it a slip of the pen?
    names = [str(each["name"]) for each in served]
    if unknown := names and model not in names:
        print_error(f"there is no model {model!r}; there are {', '.join(names)}")
    if _tell_away(away) or unknown:
        raise typer.Exit(1)


def cancel(
    ids: Annotated[list[str] | None, typer.Argument(help="Job ids.")] = None,
    status: Annotated[
        JobState | None,
        typer.Option("--status", "-s", help="Only those queued, or running; default both."),
    ] = None,
    model: Model = "",
    tenant: Tenant = "",
    older_than: OlderThan = "",
    newer_than: NewerThan = "",
    all_: Annotated[bool, typer.Option("--all", help="All that wait or run.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list those that would be canceled.")
    ] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Cancel jobs: by their ids, or all of a kind that wait or run."""
    chosen = _Filter(model, tenant, older_than, newer_than)
    if status is not None and status not in _UNDER_WAY:
        raise typer.BadParameter(f"--status {status.value}: only queued and running jobs can be")
    by_kind = bool(chosen) or status is not None or all_
    if bool(ids) == by_kind:
        raise typer.BadParameter("name ids, or say which by --model, --status, ... or --all")
    if ids and dry_run:
        raise typer.BadParameter("--dry-run is for jobs that are not named by their ids")
    queries = [chosen.query(each) for each in ((status,) if status else _UNDER_WAY)]
    with connected(url) as client:
        if ids:
            failed = _cancel_named(client, ids, as_json=as_json)
        elif dry_run:
            failed = _list_meant(client, queries, as_json=as_json)
        else:
            failed = _cancel_found(client, queries, as_json=as_json)
    raise typer.Exit(1 if failed else 0)


def _cancel_named(client: Client, ids: list[str], *, as_json: bool) -> int:
    canceled = list(attempt((job_id, partial(client.cancel, job_id)) for job_id in ids))
    failed = show_jobs(canceled, "id", as_json=as_json)
    still = [job.id for _, job in canceled if isinstance(job, JobView) and not job.done]
    if still and not as_json:
        show(Text(f"canceled when their batches end: {', '.join(still)}"))
    return failed


def _list_meant(client: Client, queries: list[dict[str, str]], *, as_json: bool) -> int:
    away = set[str]()
    found = [each for query in queries for each in _found(client, query, away)]
    if as_json:
        for each in found:
            print_json(each)
        return _tell_away(away)
    if found:
        show(listed_jobs_table([JobView.model_validate(each) for each in found]))
    stdout.print(f"{len(found)} would be canceled")
    return _tell_away(away)


def _cancel_found(client: Client, queries: list[dict[str, str]], *, as_json: bool) -> int:
    """Cancel page by page; what has ended meanwhile stays as it ended."""
    away = set[str]()
    ids = (str(each["id"]) for query in queries for each in _found(client, query, away))
    canceled, failed, still = 0, 0, 0
    for job_id, outcome in attempt((job_id, partial(client.cancel, job_id)) for job_id in ids):
        if isinstance(outcome, WherryError):
            failed += 1
            show_error({"id": job_id}, outcome, as_json=as_json)
            continue
        canceled += outcome.status == JobState.CANCELED
        still += not outcome.done
        if as_json:
            print_json(outcome.model_dump(mode="json", exclude={"result"}))
    if not as_json:
        later = f"; {still} when their batches end" if still else ""
        stdout.print(f"canceled {canceled}{later}")
    return failed + _tell_away(away)
