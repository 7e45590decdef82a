"""What a run asks of a fleet. A client answers it; a run knows no client."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol

from ...protocol.errors import WherryError
from ..map_steps import Room
from ..operations import Input, Output


class Fleet(Protocol):
    """As much of `wherry.client.Client` as annotating needs; each is described there."""

    def get(self, path: str) -> dict[str, Any]:
        """Any document of the server."""
        ...

    def map(
        self,
        model: str,
        inputs: Iterable[Input],
        *,
        in_flight: int | Room = ...,
        return_errors: bool = ...,
    ) -> Generator[Output | WherryError, None, None]:
        """Answers to inputs, in order."""
        ...

    def result(self, job_id: str, *, plain: bool = ...) -> Output:
        """A job's answer, waited for."""
        ...

    def forget(self, job_ids: Sequence[str]) -> None:
        """Let ended jobs and their results go."""
        ...
