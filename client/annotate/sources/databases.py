"""What a data base is to a source of its rows: columns, and rows of a query, streamed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ....protocol.errors import InvalidRequest
from .queries import Query

#: Said of a query that a data base cannot parse where rows are read of it.
ONE_SELECT = "; a query is one SELECT"


class KeyRange(NamedTuple):
    """The first and the last key of some rows, both among them."""

    first: int | str
    last: int | str


class Database(ABC):
    """A data base to read. All raise InvalidRequest for a query that fails, Unavailable for a data
    base that is away.
    """

    @property
    @abstractmethod
    def shown(self) -> str:
        """What people call it."""

    @abstractmethod
    def columns(self, query: Query) -> tuple[str, ...]:
        """The columns of a query, before it has been run."""

    @abstractmethod
    def rows(self, query: str, *, are_large: bool = False) -> Iterator[Mapping[str, Any]]:
        """The rows of a query as they come, column -> value; few at once where they are large."""

    @abstractmethod
    def count(self, table: str) -> int | None:
        """How many rows a table has; None where that takes long to know."""

    @abstractmethod
    def literal(self, value: int | str) -> str:
        """A value as it stands in a query."""


def select(what: str, table: str, rest: str = "") -> str:
    """A query of a table, or of a query as one: whoever wrote that one may read what it reads."""
    return f"select {what} from {table} {rest}".rstrip()  # noqa: S608 # see above


def quoted(name: str) -> str:
    """A column's name as it stands in a query."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: int | str) -> str:
    """A number or a text as it stands in a query of standard SQL."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def key_of(value: object, column: str) -> int | str:
    """A value that rows are ordered and cut by. Raises InvalidRequest for what cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and "\0" not in value:
        return value
    told = "is empty in some row" if value is None else "is neither a whole number nor text"
    raise InvalidRequest(
        f"order_by: column {column!r} {told}: order by another one, or make it text in the query"
    )
