"""PostgreSQL, by ADBC's driver: Arrow batches out of COPY, some kilobytes at a time.

Who asks, and with what password, libpq finds as for every program: `PGPASSWORD`, `PGUSER`,
`PGSSLMODE`, `~/.pgpass`, a service file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import Any

from ....protocol.errors import InvalidRequest, Unavailable, WherryError
from .databases import ONE_SELECT, Database, QueryClock, literal, select
from .files import missing
from .queries import Query

try:
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa
    from adbc_driver_postgresql import StatementOptions
except ImportError:
    raise missing("adbc-driver-postgresql", "sql") from None

#: Bytes of a batch: the driver gives none before it is full, and a query whose rows are slow in
#: coming is not to be taken for one that gives none.
_BATCH_BYTES = 1 << 14

#: Rows of one that become Python's at once, and of large ones.
_ROWS, _LARGE_ROWS = 1024, 16

#: Seconds between two looks whether a query that computes is to be broken off.
_LOOK_S = 0.5

#: Milliseconds that counting may take.
_COUNT_MS = 10_000

_SESSION = (
    "set default_transaction_read_only = on",
    "set standard_conforming_strings = on",
    # A query that orders nothing has the same order again as long as nothing is written.
    "set synchronize_seqscans = off",
    "set max_parallel_workers_per_gather = 0",
)

#: Classes of errors that are the server's or the network's: connections, resources, intervention,
#: the system's own. https://www.postgresql.org/docs/current/errcodes-appendix.html
_AWAY = ("08", "53", "57", "58")

#: A query that is none, or none as a table, which is what is read.
_SYNTAX = "42601"

#: A query that was broken off, in a code and in words.
_CANCELED, _CANCELED_WORDS = "57014", "canceling statement due to statement timeout"

#: Why a connection is refused that may be had later.
_LATER = ("starting up", "shutting down", "recovery", "too many", "slots", "terminating")

#: Who is asked for, where the server refuses who came.
_WHO = "; who asks is told by PGUSER and PGPASSWORD or ~/.pgpass, of whatever process reads"


class Postgresql(Database):
    """One data base of a server."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def shown(self) -> str:
        """Its URL, which has no password."""
        return self._url

    def columns(self, query: Query) -> tuple[str, ...]:
        """The columns of a query, as the server plans it."""
        with self._cursor() as cursor:
            found = cursor.adbc_execute_schema(f"{query.select}\n").names
            cursor.adbc_execute_schema(select("*", query.as_table))  # no DELETE is a table
            return tuple(found)

    def rows(self, query: str, *, are_large: bool = False) -> Iterator[Mapping[str, Any]]:
        """The rows of a query as they come."""
        most, clock = _LARGE_ROWS if are_large else _ROWS, self._row_clock()
        try:
            with self._batches(query, clock=clock) as reader:
                for batch in clock.timed(reader):
                    for start in range(0, batch.num_rows, most):
                        yield from batch.slice(start, most).to_pylist()
        except WherryError:
            if clock.reason:
                raise clock.reason from None
            raise

    def count(self, table: str) -> int | None:
        """How many rows a table has; None where that takes long to know."""
        counting = select("count(*) as rows", table)
        try:
            with self._batches(counting, f"set statement_timeout = {_COUNT_MS}") as reader:
                return int(reader.read_all().column(0)[0].as_py())
        except _TakesLong:
            return None

    def literal(self, value: int | str) -> str:
        """A value as it stands in a query: with parameters the driver would read all rows first."""
        return literal(value)

    @contextmanager
    def _batches(  # ADBC's types are pyarrow's
        self, query: str, *besides: str, clock: QueryClock | None = None
    ) -> Iterator[Any]:
        with self._cursor() as cursor, _watched(cursor, clock) if clock else nullcontext():
            for told in (*_SESSION, *besides):
                cursor.execute(told)
            cursor.adbc_statement.set_options(
                **{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(_BATCH_BYTES)}
            )
            cursor.execute(f"{query}\n")  # the driver wraps it, a comment at its end too
            with closing(cursor.fetch_record_batch()) as reader:
                yield reader

    @contextmanager
    def _cursor(self) -> Iterator[adbc.Cursor]:
        try:
            with (
                closing(adbc.connect(self._url, autocommit=True)) as opened,
                closing(opened.cursor()) as cursor,
            ):
                yield cursor
        except (adbc.Error, pa.ArrowException, OSError) as error:
            raise self._told(error) from None

    def _told(self, error: Exception) -> WherryError:
        """An error in our words: whose fault it is, and the server's first lines."""
        state = str(getattr(error, "sqlstate", "") or "")
        words = " ".join(str(error).partition("Query was:")[0].split())
        told = f"{self._url}: {words}{ONE_SELECT if state == _SYNTAX else ''}"
        if state == _CANCELED or _CANCELED_WORDS in words:
            return _TakesLong(told)
        if "FATAL:" in words and not any(word in words for word in _LATER):
            return InvalidRequest(f"{told}{_WHO}")
        if "no password supplied" in words:
            return InvalidRequest(f"{told}{_WHO}")
        # A stream breaks off with the server's words alone.
        is_querys = not state.startswith(_AWAY) if state else "ERROR:" in words
        return InvalidRequest(told) if is_querys else Unavailable(told)


class _TakesLong(Unavailable):
    """The server broke the query off, for it took longer than it may."""


@contextmanager
def _watched(cursor: adbc.Cursor, clock: QueryClock) -> Iterator[None]:
    """Have the server break a query off that is over by the clock: who waits hears nothing."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_S):
            if clock.is_over():
                with suppress(adbc.Error):  # again at the next look
                    cursor.adbc_cancel()

    thread = threading.Thread(target=watch, name="annotate-query", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
