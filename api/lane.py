"""The lane of jobs that nobody waits for: names that can be told in advance, behind all others."""

from __future__ import annotations

from contextvars import ContextVar


class Lane:
    """What one line of a batch calls its jobs, so that running it again finds them."""

    def __init__(self, name: str) -> None:
        self._name, self._given = name, 0

    def next_id(self) -> str:
        """The next job's id."""
        self._given += 1
        return lane_id(self._name, self._given - 1)


def lane_id(name: str, number: int) -> str:
    """The id of a lane's n-th job."""
    return f"{name}-{number}" if number else name


#: The lane of the code that runs now; None for a request of its own.
lane: ContextVar[Lane | None] = ContextVar("lane", default=None)
