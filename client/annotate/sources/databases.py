"""What a data base is to a source of its rows: columns, and rows of a query, streamed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ....protocol.errors import InvalidRequest
from .queries import Query

T = TypeVar("T")

#: Seconds that a query may compute before rows come: one that never ends would hold whoever reads
#: it for good.
ROW_S = 1800.0

#: Said of a query that a data base cannot parse where rows are read of it.
ONE_SELECT = "; a query is one SELECT"


class KeyRange(NamedTuple):
    """The first and the last key of some rows, both among them."""

    first: int | str
    last: int | str


class QueryClock:
    """How long a query computes without rows to give, and whether anybody still waits for them."""

    def __init__(self, most_s: float, late: Exception, heed: Callable[[], None]) -> None:
        """`late` is raised past `most_s`; `heed` raises what ends the query sooner."""
        self._most_s, self._late, self._heed = most_s, late, heed
        self._since: float | None = time.monotonic()
        #: Why the query is broken off; None while it is not.
        self.reason: Exception | None = None

    def is_over(self) -> bool:
        """Whether it is to be broken off; any thread may ask."""
        since = self._since
        if self.reason is None and since is not None:
            try:
                self._heed()
            except Exception as reason:  # whatever it is, the reader is to have it
                self.reason = reason
            if time.monotonic() - since > self._most_s:
                self.reason = self._late
        return self.reason is not None

    def timed(self, rows: Iterable[T]) -> Iterator[T]:
        """The same rows, each waited for by this clock."""
        coming = iter(rows)
        while True:
            self._since = time.monotonic()
            try:
                found = next(coming)
            except StopIteration:
                return
            finally:
                self._since = None
            yield found


def _heedless() -> None:
    """Nobody ends a query."""


class Database(ABC):
    """A data base to read. All raise InvalidRequest for a query that fails, Unavailable for a data
    base that is away.
    """

    #: Called now and then while rows are waited for, by any thread; what it raises ends the query.
    heed: Callable[[], None] = staticmethod(_heedless)

    @property
    @abstractmethod
    def shown(self) -> str:
        """What people call it."""

    @abstractmethod
    def columns(self, query: Query) -> tuple[str, ...]:
        """The columns of a query, before it has been run."""

    def _row_clock(self) -> QueryClock:
        late = InvalidRequest(
            f"{self.shown}: the query computed for {ROW_S:g} s without rows to give"
        )
        return QueryClock(ROW_S, late, self.heed)

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
