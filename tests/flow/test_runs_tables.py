"""Runs over data sets of a hub and over queries, in places, against the real stack."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.client.errors import UsageError
from wherry.ops.stack import Stack
from wherry.protocol.errors import InvalidRequest

from ..support.hub import Hub
from ..support.models import model
from ..support.postgres import PASSWORD, PostgresServer
from ..support.waiting import until

TOKEN = "hf_a_secret_of_the_tests"

ROWS = [{"id": n, "text": f"row {n}" + " REJECT" * (n == 70)} for n in range(300)]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        rows = ", ".join(f"({row['id']}, '{row['text']}')" for row in ROWS)
        table = "create table reviews (id integer primary key, text text)"
        server.execute(table, f"insert into reviews values {rows}")
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def fleet(
    hub: Hub, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("tables")
    (folder / "models.toml").write_text(model("words", "embedding", reject_on="REJECT"))
    (folder / "data").mkdir()
    places = ("hf://datasets/acme/", postgres.url, f"{folder}/data/")
    env = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "hub"),
        "HF_TOKEN": TOKEN,
        "PGPASSWORD": PASSWORD,
        "WHERRY_RUN_PLACES": ",".join(places),
        "WHERRY_RUN_SEGMENT_S": "0.2",
    }
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, run_workers=2, env=env
    ) as stack:
        yield stack


@pytest.fixture
def client(fleet: Stack) -> Iterator[Client]:
    with Client(fleet.url) as client:
        yield client


def until_state(client: Client, run_id: str, *states: str) -> dict[str, Any]:
    ends = ("failed", "canceled", "expired", *states)
    run: dict[str, Any] = until(
        lambda: client.get(f"/v2/runs/{run_id}"), lambda run: run["state"] in ends
    )
    assert (run["state"] in states, run["error"]) == (True, None)
    return run


def as_from_a_file(client: Client, folder: Path, rows: list[dict[str, Any]]) -> list[bytes]:
    """What `wherry annotate` writes of the same rows in a file, and of those that failed."""
    (folder / "rows.jsonl").write_text(lines(rows))
    out = folder / "alone.jsonl"
    annotate(client, Options(source=str(folder / "rows.jsonl"), model="words", out=out))
    return [out.read_bytes(), out.with_name("alone.jsonl.errors.jsonl").read_bytes()]


def fetched(client: Client, run_id: str, folder: Path) -> list[bytes]:
    out = client.runs.fetch(run_id, folder / "fetched.jsonl")
    return [out.read_bytes(), out.with_name("fetched.jsonl.errors.jsonl").read_bytes()]


def logs(stack: Stack) -> str:
    found = (path for path in stack.data_dir.rglob("*.log*") if path.is_file())
    return "".join(path.read_text(errors="replace") for path in found)


def test_all_parts_of_a_run_are_of_one_commit_of_a_hub(
    client: Client, fleet: Stack, hub: Hub, tmp_path: Path
) -> None:
    """Also those that are read when the data set is another one already."""
    cut = {f"data/train-{n:05}-of-00003.jsonl": ROWS[100 * n : 100 * (n + 1)] for n in range(3)}
    files = {name: lines(rows).encode() for name, rows in cut.items()}
    dataset = hub.dataset("acme/reviews", files, token=TOKEN)
    source = "hf://datasets/acme/reviews/train"
    run = client.runs.start(source, model="words", sample=50, shard_rows=40)
    until_state(client, run.id, "held")
    dataset.commit({"data/train-00000-of-00001.jsonl": lines(ROWS[:7]).encode()})
    client.runs.resume(run.id)
    ended = until_state(client, run.id, "succeeded")
    assert (ended["rows"]["total"], ended["rows"]["failed"], ended["shards"]["total"]) == (
        300,
        1,
        8,
    )
    assert fetched(client, run.id, tmp_path) == as_from_a_file(client, tmp_path, ROWS)
    assert TOKEN not in json.dumps(ended) + logs(fleet)


def test_a_query_that_never_ends_holds_no_run_worker_once_it_is_canceled(
    client: Client, postgres: PostgresServer
) -> None:
    endless = "select 1 as id, pg_sleep(100000)::text as text"
    runs = [client.runs.start(postgres.url, query=endless, model="words") for _ in range(2)]

    def at_it() -> list[str]:
        found = (client.get(f"/v2/runs/{run.id}/shards")["shards"] for run in runs)
        return [shard["worker"] for shards in found for shard in shards if shard["worker"]]

    until(lambda: len(set(at_it())) == 2)
    query = "select id, text from reviews where id < 5"
    waiting = client.runs.start(postgres.url, query=query, model="words")
    for run in runs:
        client.runs.cancel(run.id)
    assert until_state(client, waiting.id, "succeeded")["rows"]["total"] == 5


def test_a_query_is_cut_by_its_key(
    client: Client, fleet: Stack, postgres: PostgresServer, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"model": "words", "shard_rows": 40, "order_by": "id"}
    run = client.runs.start(postgres.url, query="select id, text from reviews", sample=50, **asked)
    until_state(client, run.id, "held")
    client.runs.resume(run.id)
    ended = until_state(client, run.id, "succeeded")
    assert (ended["rows"]["total"], ended["shards"]["total"]) == (300, 8)
    assert (ended["query"], ended["order_by"]) == ("select id, text from reviews", "id")
    assert fetched(client, run.id, tmp_path) == as_from_a_file(client, tmp_path, ROWS)
    assert PASSWORD not in json.dumps(ended) + logs(fleet)


def test_a_query_in_its_own_order_is_one_shard(
    client: Client, fleet: Stack, tmp_path: Path
) -> None:
    path = fleet.data_dir / "data" / "rows.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table reviews (id integer primary key, text)")
        made.executemany("insert into reviews values (:id, :text)", ROWS)
        made.commit()
    query = "select id, text from reviews order by -id"
    asked: dict[str, Any] = {"model": "words", "query": query, "shard_rows": 40}
    run = client.runs.start(f"sqlite:///{path}", **asked)
    ended = until_state(client, run.id, "succeeded")
    assert (ended["rows"]["total"], ended["shards"]["total"]) == (300, 1)
    assert fetched(client, run.id, tmp_path) == as_from_a_file(client, tmp_path, ROWS[::-1])


def test_annotate_reads_a_query_itself(
    client: Client, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    out = tmp_path / "labels.jsonl"
    asked: dict[str, Any] = {"source": postgres.url, "model": "words", "out": out}
    query: dict[str, Any] = {"query": "select id, text from reviews", "order_by": "id"}
    summary = annotate(client, Options(**asked, **query))
    assert (summary.rows, summary.failed) == (300, 1)
    assert out.read_bytes() == as_from_a_file(client, tmp_path, ROWS)[0]
    assert annotate(client, Options(**asked, **query)).reused == 300
    with pytest.raises(InvalidRequest, match="query"):
        annotate(client, Options(**asked, query="select 1 as id, text from reviews limit 1"))
    told = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert PASSWORD.encode() not in told


def test_an_output_never_takes_the_place_of_its_data_base(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table reviews (text)")
    for source in (str(path), f"sqlite:///{path}"):
        options = Options(source=source, model="words", out=path, query="select text from reviews")
        with pytest.raises(UsageError, match="is the source"):
            annotate(client, options)


def test_a_data_base_that_was_sent_is_asked(client: Client, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "rows.db")) as made:
        made.execute("create table reviews (id integer primary key, text)")
        made.executemany("insert into reviews values (:id, :text)", ROWS)
        made.commit()
    sent = client.runs.upload(tmp_path / "rows.db")["source"]
    asked: dict[str, Any] = {"model": "words", "shard_rows": 100}
    query: dict[str, Any] = {"query": "select id, text from reviews", "order_by": "id"}
    run = client.runs.start(sent, **asked, **query)
    assert until_state(client, run.id, "succeeded")["shards"]["total"] == 3
    assert fetched(client, run.id, tmp_path) == as_from_a_file(client, tmp_path, ROWS)


def test_all_parts_of_a_run_are_of_one_version_of_a_table(
    client: Client, fleet: Stack, tmp_path: Path
) -> None:
    path = str(fleet.data_dir / "data" / "reviews.lance")
    rows = [{**row, "id": str(row["id"])} for row in ROWS]
    lance.write_dataset(pa.Table.from_pylist(rows), path, max_rows_per_file=90)
    run = client.runs.start(path, model="words", sample=50, shard_rows=40)
    until_state(client, run.id, "held")
    lance.dataset(path).delete("id < '2'")
    client.runs.resume(run.id)
    assert until_state(client, run.id, "succeeded")["rows"]["total"] == 300
    assert fetched(client, run.id, tmp_path) == as_from_a_file(client, tmp_path, ROWS)


def test_what_is_in_no_place_is_refused(client: Client, postgres: PostgresServer) -> None:
    for source in (
        "hf://datasets/other/reviews",
        postgres.url.replace("/postgres", "/other"),
        f"{postgres.url}?host=elsewhere",
        "sqlite:////etc/rows.db",
    ):
        with pytest.raises(InvalidRequest, match="is in no place of runs"):
            client.runs.start(source, model="words", query="select 1")
    url = postgres.url.replace("@", ":hush@")
    with pytest.raises(InvalidRequest, match="its URL holds a password") as caught:
        client.runs.start(url, model="words", query="select 1")
    assert "hush" not in str(caught.value)
