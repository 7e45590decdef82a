"""The lane of jobs that nobody waits for: names that can be told in advance, behind all others."""

from __future__ import annotations

from fastapi import Request

#: Where a line's lane lies in the ASGI scope of its request.
LANE = "wherry.lane"


class Lane:
    """What one line of a batch calls its jobs, so that running it again finds them."""

    def __init__(self, name: str) -> None:
        self._name, self._given = name, 0

    @staticmethod
    def of(request: Request) -> Lane | None:
        """The lane that a request runs in; None for one of a client that waits."""
        found: Lane | None = request.scope.get(LANE)
        return found

    def next_id(self) -> str:
        """The next job's id."""
        self._given += 1
        return lane_id(self._name, self._given - 1)


def lane_id(name: str, number: int) -> str:
    """The id of a lane's n-th job."""
    return f"{name}-{number}" if number else name
