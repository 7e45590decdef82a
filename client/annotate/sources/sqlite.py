"""SQLite's files, by Python's own module: each value has its own type there, as SQLite means it.

They are opened to be read alone, and a query may do nothing else.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ....protocol.errors import InvalidRequest
from .databases import ONE_SELECT, Database, QueryClock, literal, select
from .queries import Query

#: How such a file begins.
MAGIC = b"SQLite format 3\0"

#: Seconds that counting may take; steps of SQLite's machine between two looks at the clock.
_COUNT_S, _STEPS = 10.0, 100_000

#: What a query may do.
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)


class Sqlite(Database):
    """One file."""

    def __init__(self, path: str, shown: str) -> None:
        self._path, self._shown = path, shown

    @property
    def shown(self) -> str:
        """The file."""
        return self._shown

    def columns(self, query: Query) -> tuple[str, ...]:
        """The columns of a query, before it has been run."""
        with self._cursor(select("*", query.as_table, "limit 0")) as cursor:
            return _names(cursor)

    def rows(
        self,
        query: str,
        *,
        are_large: bool = False,  # noqa: ARG002 # one at a time, whatever they are
    ) -> Iterator[Mapping[str, Any]]:
        """The rows of a query as they come."""
        with self._cursor(query, clock := self._row_clock()) as cursor:
            names = _names(cursor)
            for row in clock.timed(cursor):
                yield dict(zip(names, row, strict=True))

    def count(self, table: str) -> int | None:
        """How many rows a table has; None where that takes long to know."""
        clock = QueryClock(_COUNT_S, _TakesLong(), self.heed)
        try:
            with self._cursor(select("count(*)", table), clock) as cursor:
                return int(cursor.fetchone()[0])
        except _TakesLong:
            return None

    def literal(self, value: int | str) -> str:
        """A value as it stands in a query."""
        return literal(value)

    @contextmanager
    def _cursor(self, query: str, clock: QueryClock | None = None) -> Iterator[sqlite3.Cursor]:
        try:
            # Rows may be taken by another thread than the first.
            with closing(sqlite3.connect(self._url, uri=True, check_same_thread=False)) as opened:
                opened.text_factory = _text
                opened.set_authorizer(_authorize)
                if clock:
                    opened.set_progress_handler(clock.is_over, _STEPS)
                with closing(opened.execute(query)) as cursor:
                    yield cursor
        except sqlite3.Error as error:
            if clock and clock.reason:
                raise clock.reason from None
            told = ONE_SELECT if "syntax error" in str(error) else ""
            raise InvalidRequest(f"{self._shown}: {error}{told}") from None

    @property
    def _url(self) -> str:
        # Beside a file that nobody can write there can be no log of what was written to it.
        folder, log = Path(self._path).parent, Path(f"{self._path}-wal")
        still = not log.exists() and not os.access(folder, os.W_OK)
        return f"file:{quote(self._path)}?mode=ro{'&immutable=1' if still else ''}"


class _TakesLong(Exception):
    """A query was broken off."""


def _names(cursor: sqlite3.Cursor) -> tuple[str, ...]:
    return tuple(str(column[0]) for column in cursor.description or ())


def _text(data: bytes) -> str | bytes:
    """A text; what is none by its bytes stays bytes, the fault of its row alone."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _authorize(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
