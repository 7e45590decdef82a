"""What came of many calls, printed: a value or an error each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.markup import escape

from ..protocol.errors import NotReplicated, Unavailable, WherryError
from .jobs import JobView
from .tables import jobs_table
from .terminal import print_json, show, stderr

T = TypeVar("T")


def attempt(
    calls: Iterable[tuple[str, Callable[[], T]]],
) -> Iterator[tuple[str, T | WherryError]]:
    """Each call's value or error. Once the server is away, the rest is not tried."""
    away: Unavailable | None = None
    for name, call in calls:
        outcome: T | WherryError
        try:
            outcome = away or call()
        except WherryError as error:
            outcome = error
            if isinstance(error, Unavailable) and not isinstance(error, NotReplicated):
                away = error  # one that was taken says nothing of those that were not sent
        except OSError as error:
            outcome = WherryError(error.strerror or str(error))
        yield name, outcome


def show_jobs(
    outcomes: Iterable[tuple[str, JobView | WherryError]], what: str, *, as_json: bool
) -> int:
    """Print jobs: as JSON each as it comes, else as one table. Answers how many failed."""
    failed, jobs = 0, []
    for name, outcome in outcomes:
        if isinstance(outcome, WherryError):
            failed += 1
            show_error({what: name}, outcome, as_json=as_json)
        elif as_json:
            named = {} if what == "id" else {what: name}
            print_json({**named, **outcome.model_dump(mode="json", exclude={"result"})})
        else:
            jobs.append((name, outcome))
    if jobs:
        names = None if what == "id" else [name for name, _ in jobs]
        show(jobs_table([job for _, job in jobs], names))
    return failed


def show_error(named: dict[str, str], error: WherryError, *, as_json: bool) -> None:
    """Print what went wrong with one."""
    if as_json:
        print_json({**named, "error": error.message, "error_type": error.code})
    else:
        line = f"[red]{escape(next(iter(named.values())))}:[/] {escape(error.message)}"
        stderr.print(line, highlight=False, soft_wrap=True)
