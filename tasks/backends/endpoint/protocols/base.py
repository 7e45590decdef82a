from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .....protocol.errors import WherryError
from ....base import Task, TaskInput, TaskOutput
from ....text.tokens import Token
from ..http import Http

#: Hears a row's tokens as they come.
Hear = Callable[[Token], None]


#: The number of a token whose own nobody tells.
UNNUMBERED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """How a model is asked for, as models.toml says."""

    model: str = ""
    model_version: str = ""
    rows_per_request: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


class Told(NamedTuple):
    """What a request brought: an answer a row, and the tokens that it counts."""

    rows: Sequence[TaskOutput | WherryError]
    tokens_in: int = 0
    tokens_out: int = 0


class Protocol(ABC):
    """How rows of a task are asked of a server, and what its answers mean."""

    #: Rows of one request where nobody says; the server may take fewer.
    rows_per_request: int = 1

    def __init__(self, task: Task, wanted: RemoteModel, http: Http) -> None:
        self.task, self.wanted, self.http = task, wanted, http
        if wanted.rows_per_request:
            self.rows_per_request = wanted.rows_per_request

    @abstractmethod
    async def look(self) -> None:
        """See whether the server answers, and what it says of the model. Raises EndpointFault."""

    @abstractmethod
    async def ask(self, rows: Sequence[TaskInput], hear: Hear | None) -> Told:
        """Answer rows by one request; `hear` is told the tokens of a row that is alone.

        Raises RowError where the server refuses them, EndpointFault where they are not at fault.
        """

    def units(self, rows: Sequence[TaskInput], heard: Sequence[bool]) -> list[list[int]]:
        """Which rows go together, by their places."""
        del heard
        return [[place] for place in range(len(rows))]

    def guess_tokens(self, rows: Sequence[TaskInput]) -> int:
        """Tokens that an answer may count, before it is known."""
        if self.task.cost_unit == "tokens":
            return sum(sum(row.costs()) for row in rows)
        return sum(getattr(row, "max_new_tokens", None) or 0 for row in rows)

    async def close(self) -> None:
        """Close the connections."""
        await self.http.close()


def in_parts(places: Sequence[int], size: int) -> list[list[int]]:
    """Places in requests of so many."""
    return [list(places[start : start + size]) for start in range(0, len(places), size)]
