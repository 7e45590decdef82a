"""Names of jobs in the bulk lane that can be told in advance, so that a second run finds them."""

from __future__ import annotations

from fastapi import Request

#: Where the names of a line's jobs lie in the ASGI scope of its request.
JOB_NAMES = "wherry.job_names"


class JobNames:
    """What one line of a batch calls its jobs, so that running it again finds them."""

    def __init__(self, name: str) -> None:
        self._name, self._given = name, 0

    @staticmethod
    def of(request: Request) -> JobNames | None:
        """The names of a request's jobs; None for one of a client that waits."""
        found: JobNames | None = request.scope.get(JOB_NAMES)
        return found

    def next_id(self) -> str:
        """The next job's id."""
        self._given += 1
        return nth_job_id(self._name, self._given - 1)


def nth_job_id(name: str, number: int) -> str:
    """The id of the n-th job of that name."""
    return f"{name}-{number}" if number else name
