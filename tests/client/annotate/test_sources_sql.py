"""Rows of queries, of SQLite's files and of a PostgreSQL server."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wherry.client.annotate.constants import constants_of
from wherry.client.annotate.prepared import Options, source_of
from wherry.client.annotate.rows import Origin, SourceRow, UnreadableRow
from wherry.client.annotate.sources import Columns, Source, open_source
from wherry.client.annotate.sources.confined import place_among
from wherry.client.annotate.sources.parts import Part
from wherry.client.annotate.sources.queries import Query
from wherry.client.annotate.sources.sampling import USUAL, Sampling
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest, Unavailable
from wherry.protocol.places import AllowedPlaces
from wherry.tasks.registry import get_task

from ...support.postgres import PASSWORD, PostgresServer

EMBEDDING, PICTURES = get_task("embedding"), get_task("image-classification")

#: Two columns, the second with what a text may hold; every statement is one of both data bases.
TABLE = (
    "create table reviews (id integer primary key, body text)",
    "create table keys (name text primary key, body text)",
    *(f"insert into reviews values ({n}, 'it''s review {n} {{é}}')" for n in range(-20, 100)),
    *(f"insert into keys values ('k''{n:02}', 'text {n}')" for n in range(30)),
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.execute(*TABLE)
        yield server
    finally:
        server.close()


@pytest.fixture
def postgresql(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return server.url


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    path = tmp_path / "rows of reviews.db"
    with closing(sqlite3.connect(path)) as made:
        for statement in TABLE:
            made.execute(statement)
        made.commit()
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def of(url: str, query: str, order_by: str = "", **options: Any) -> Source:
    return open_source(url, options.pop("task", EMBEDDING), query=Query(query, order_by), **options)


def told(rows: Any) -> list[Any]:
    return [(r.id, r.values if isinstance(r, SourceRow) else r.reason) for r in rows]


def test_rows_come_in_the_querys_order(database: str) -> None:
    source = of(database, "select id, body as text from reviews order by id desc -- the newest;\n;")
    rows = list(source)
    assert [row.id for row in rows] == [str(n) for n in range(99, -21, -1)]
    assert told(rows[:1]) == [("99", {"texts": "it's review 99 {é}"})]
    assert source.count() == 120


def test_columns_are_named_as_of_any_table(database: str) -> None:
    columns = Columns(id="name", fields={"texts": "body"})
    rows = list(of(database, "select * from keys order by name", columns=columns))
    assert told(rows[:2]) == [("k'00", {"texts": "text 0"}), ("k'01", {"texts": "text 1"})]
    numbered = list(of(database, "select body as text from keys order by name"))
    assert [row.id for row in numbered[:2]] == ["0", "1"]


@pytest.mark.parametrize(
    ("query", "key", "first"),
    [
        ("select id, body as text from reviews", "id", 5),
        ("select name, body as text from keys where body <> 'text 3'", "name", 0),
    ],
)
def test_parts_by_a_column_are_the_whole(database: str, query: str, key: str, first: int) -> None:
    source = of(database, query, key)
    parts = [part.as_json() for part in source.parts(25, first)]
    found: list[Any] = []
    for given in json.loads(json.dumps(parts)):
        part = Part.of(given)
        read = told(of(database, query, key).part(part))
        assert len(read) == part.rows == part.units
        assert len(read) <= (25 if found else first or 25)
        found += read
    assert found == told(source)
    assert len(found) > 25


def test_a_query_that_nothing_orders_is_one_part(database: str) -> None:
    source = of(database, "select id, body as text from reviews")
    parts = list(source.parts(13))
    assert [(part.units, part.rows) for part in parts] == [(1, None)]
    assert len(told(source.part(parts[0]))) == 120
    with pytest.raises(InvalidRequest, match="sample: a query has first rows where order_by"):
        list(source.parts(13, 5))


@pytest.mark.parametrize(
    ("query", "key", "fault"),
    [
        ("select id % 2 as k, body as text from reviews", "k", "two rows have"),
        ("select nullif(id, 7) as k, body as text from reviews", "k", "is empty in some row"),
        (
            "select cast(id as real) as k, body as text from reviews",
            "k",
            "neither a whole number nor text",
        ),
        ("select id, body as text from reviews", "key", "no column 'key': id, text"),
    ],
)
def test_a_column_that_cannot_order_is_refused(
    database: str, query: str, key: str, fault: str
) -> None:
    with pytest.raises(InvalidRequest, match=fault):
        list(of(database, query, key).parts(10))


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("select id, body as text from nothing", "nothing"),
        ("selec id", "selec"),
        ("select id, body as text from reviews; select 2", ""),
        ("delete from reviews returning id, body as text", "; a query is one SELECT"),
        ("select id from reviews", "embedding needs 'text'"),
    ],
)
def test_a_query_that_fails_is_refused_before_a_row(database: str, query: str, fault: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        of(database, query)
    assert fault in caught.value.message
    assert PASSWORD not in caught.value.message


def test_a_query_is_needed_and_goes_with_data_bases_alone(database: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a query: --query"):
        open_source(database, EMBEDDING)
    with pytest.raises(UsageError, match="needs a query: --query"):
        of(database, " ;", "id")
    (tmp_path / "rows.csv").write_text("text\nrow\n")
    with pytest.raises(InvalidRequest, match="is no SQLite data base, which a query is for"):
        of(str(tmp_path / "rows.csv"), "select 1")
    with pytest.raises(UsageError, match="every, frames"):
        of(database, "select 1 as text", sampling=Sampling(every_s=1.0))


# ---- what a row may be


def test_a_picture_is_its_bytes_or_a_path(database: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"picture")
    data = "x'706e67'" if database.startswith("sqlite") else r"'\x706e67'::bytea"
    rows = list(of(database, f"select 1 as id, {data} as image", task=PICTURES))
    assert told(rows) == [("1", {"images": b"png"})]
    path = f"select 1 as id, '{tmp_path}/photo.png' as image"
    assert told(of(database, path, task=PICTURES)) == [("1", {"images": b"picture"})]


def test_a_text_that_is_none_is_one_bad_row(sqlite: str) -> None:
    query = "select 1 as id, cast(x'ff' as text) as text union all select 2, 'fine'"
    assert told(of(sqlite, query)) == [
        ("1", "column 'text': it is not UTF-8 text"),
        ("2", {"texts": "fine"}),
    ]


def test_a_column_of_sqlite_may_hold_several_types(sqlite: str) -> None:
    query = "select id, case id when 9 then 'nine' else id end as k, body as text from reviews"
    assert len(told(of(sqlite, query, "k"))) == 120
    marks = [json.loads(part.mark) for part in of(sqlite, query, "k").parts(60)]
    assert marks == [[-20, 40], [41, "nine"]]


def test_an_error_amid_the_rows_breaks_off(postgresql: str) -> None:
    query = "select id, (1 / (id - 90))::text || body as text from reviews order by id"
    with pytest.raises(InvalidRequest, match="division by zero"):
        list(of(postgresql, query))


def test_a_row_is_seen_that_came_after_the_plan(tmp_path: Path, database: str) -> None:
    change: Callable[..., None]
    if database.startswith("sqlite"):

        def change(*statements: str) -> None:
            with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as opened:
                for statement in statements:
                    opened.execute(statement)
                opened.commit()
    else:
        import adbc_driver_postgresql.dbapi as adbc

        def change(*statements: str) -> None:
            with adbc.connect(database, autocommit=True) as opened, opened.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    rows = (f"insert into moving values ({number}, 'row')" for number in range(0, 40, 2))
    change("create table moving (id integer primary key, body text)", *rows)
    try:
        source = of(database, "select id, body as text from moving", "id")
        parts = list(source.parts(10))
        change("insert into moving values (1000, 'later')")
        assert [len(list(source.part(part))) for part in parts] == [10, 10], "what is new is not in"
        change("insert into moving values (5, 'amid')")
        with pytest.raises(InvalidRequest, match="the source has changed since its parts were cut"):
            list(source.part(parts[0]))
    finally:
        change("drop table moving")


# ---- who asks


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    for url in (
        "postgresql://me:hush@localhost/reviews",
        "postgres://localhost/reviews?user=me&password=hush",
        "postgresql://localhost/reviews?sslpassword=hush",
    ):
        with pytest.raises(InvalidRequest, match="PGPASSWORD or in ~/.pgpass") as caught:
            of(url, "select 1 as text")
        assert "hush" not in str(caught.value)


def test_a_password_is_the_environments_or_the_password_files(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "select id, body as text from reviews"
    assert of(postgresql, query).count() == 120
    monkeypatch.setenv("PGPASSWORD", "hush")
    with pytest.raises(InvalidRequest, match="PGPASSWORD or ~/.pgpass") as caught:
        of(postgresql, query)
    assert "hush" not in str(caught.value)
    monkeypatch.delenv("PGPASSWORD")
    with pytest.raises(InvalidRequest, match="no password supplied"):
        of(postgresql, query)
    (tmp_path / "pgpass").write_text(f"127.0.0.1:*:*:*:{PASSWORD}")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert of(postgresql, query).count() == 120


def test_a_server_that_is_away_is_no_fault_of_the_query() -> None:
    with pytest.raises(Unavailable, match="Connection refused"):
        of("postgresql://me@127.0.0.1:1/reviews", "select 1 as text")


def test_a_query_writes_nothing(postgresql: str, sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="read-only transaction"):
        list(of(postgresql, "select lo_create(0)::text as text"))
    for query in (f"attach '{tmp_path}/made.db' as made", "pragma user_version = 3"):
        with pytest.raises(InvalidRequest, match="syntax error"):
            of(sqlite, query)
    assert of(postgresql, "select body as text from reviews").count() == 120
    assert not (tmp_path / "made.db").exists()


#: Queries that give no row, for ever; of a table that is cut by `id`.
ENDLESS = {
    "sqlite": (
        "with recursive c(x) as (select 1 union all select x + 1 from c)"
        " select x as id, x || '' as text from c where x < 0"
    ),
    "postgresql": "select 1 as id, pg_sleep(100000)::text as text",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def endless(request: pytest.FixtureRequest) -> tuple[str, str]:
    return str(request.getfixturevalue(request.param)), ENDLESS[request.param]


@pytest.mark.parametrize("order_by", ["", "id"])
def test_a_query_that_never_ends_is_broken_off(
    endless: tuple[str, str], order_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it hears nothing while it computes."""
    monkeypatch.setattr("wherry.client.annotate.sources.databases.ROW_S", 0.0)
    with pytest.raises(InvalidRequest, match="computed for 0 s without rows to give"):
        list(of(*endless, order_by))


class _Left(Exception):
    """Whoever waited has left."""


@pytest.mark.parametrize("shared", [{}, {"context": "The boat is red."}])
def test_a_query_ends_when_nobody_waits_for_it(
    endless: tuple[str, str], shared: dict[str, str]
) -> None:
    looks = 0

    def heed() -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise _Left

    task = get_task("question-answering") if shared else EMBEDDING
    origin = Origin(task, "m", "1", constants_of(task, shared), endless[0])
    columns = Columns(fields={"questions": "text"} if shared else {})
    asked = Options(source=endless[0], query=endless[1], columns=columns, model="m", out=Path("o"))
    source = source_of(asked, origin)
    source.heeds(heed)
    with pytest.raises(_Left):
        list(source)


def test_rows_that_are_slow_in_coming_come(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes three looks at the clock, and all of them more than a query may without rows."""
    monkeypatch.setattr("wherry.client.annotate.sources.sqlite._STEPS", 1000)
    monkeypatch.setattr("wherry.client.annotate.sources.databases.ROW_S", 20.0)
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr("wherry.client.annotate.sources.databases.time", clock)
    slow = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 150)"
    query = f"select id, body as text from reviews r where ({slow} select sum(x + r.id) from c) > 0"
    assert len(list(of(sqlite, query))) == 120
    assert next(ticks) > 200


def test_few_rows_of_a_server_make_a_batch(postgresql: str) -> None:
    """It gives none before one is full, however slowly they come."""
    from wherry.client.annotate.sources.postgresql import Postgresql  # needs the driver

    query = "select repeat('a', 100) as text from generate_series(1, 5000)"
    with Postgresql(postgresql)._batches(query) as reader:
        assert max(batch.num_rows for batch in reader) < 500


def test_a_count_that_takes_long_is_unknown(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.client.annotate.sources.sqlite._COUNT_S", 0.0)
    assert of(sqlite, ENDLESS["sqlite"]).count() is None
    assert len(list(of(sqlite, "select 1 as id, 'short' as text union all select 2, 'too'"))) == 2


def test_places_hold_for_data_bases(sqlite: str, postgresql: str, tmp_path: Path) -> None:
    query = Query("select id, body as text from reviews", "id")
    server = postgresql.rpartition("/")[0]
    place = place_among(AllowedPlaces.of(f"{tmp_path}/,{server}/"))
    inside = (sqlite, sqlite.removeprefix("sqlite:///"), postgresql)
    for url in inside:
        source = open_source(url, EMBEDDING, Columns(), USUAL, place, query)
        assert source.count() == 120
    outside = tmp_path.parent / f"{tmp_path.name} outside.db"
    shutil.copy(sqlite.removeprefix("sqlite:///"), outside)
    (tmp_path / "link.db").symlink_to(outside)
    for url in (
        f"sqlite:///{outside}",
        f"sqlite:///{tmp_path}/../{outside.name}",
        f"sqlite:///{tmp_path}/link.db",
        postgresql.replace("127.0.0.1", "localhost"),
        f"{postgresql}?host=localhost",
        f"{postgresql}?service=other",
    ):
        with pytest.raises(InvalidRequest, match="in no place that runs may read|no such file"):
            open_source(url, EMBEDDING, Columns(), USUAL, place, query)


# ---- where SQLite's files lie


def test_a_file_in_an_archive_is_fetched_first(sqlite: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.write(sqlite.removeprefix("sqlite:///"), "in/rows.db")
    source = of(f"{tmp_path}/packed.zip/in/rows.db", "select body as text from reviews")
    assert len(list(source)) == 120


def test_what_is_written_ahead_is_read(sqlite: str) -> None:
    with closing(sqlite3.connect(sqlite.removeprefix("sqlite:///"))) as opened:
        opened.execute("pragma journal_mode = wal")
        opened.execute("insert into reviews values (500, 'ahead')")
        opened.commit()
        assert of(sqlite, "select body as text from reviews").count() == 121


@pytest.mark.parametrize("url", ["sqlite://host/rows.db", "sqlite://", "sqlite:///rows.db?mode=rw"])
def test_a_sqlite_url_names_a_file(url: str) -> None:
    with pytest.raises(InvalidRequest, match="name a file: sqlite:///"):
        of(url, "select 1 as text")


def test_the_extra_is_named_where_the_driver_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wherry.client.annotate.sources.postgresql", raising=False)
    monkeypatch.delattr("wherry.client.annotate.sources.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'wherry\[sql\]'"):
        of("postgresql://localhost/reviews", "select 1 as text")


def test_rows_stay_rows_when_a_reader_leaves(database: str) -> None:
    rows = iter(of(database, "select id, body as text from reviews order by id"))
    assert isinstance(next(rows), SourceRow | UnreadableRow)
    rows.close()  # type: ignore[attr-defined] # a generator
    assert len(list(of(database, "select id, body as text from reviews"))) == 120
