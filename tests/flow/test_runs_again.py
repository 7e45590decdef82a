"""Runs over what was there before: answers of earlier runs, and runs that ended and go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.client.run_shown import lines_of
from wherry.client.run_views import RunView
from wherry.jobs import Queue
from wherry.jobs.settings import JobsSettings
from wherry.jobs.stores import open_store
from wherry.ops.stack import Stack
from wherry.protocol.errors import Conflict, JobCanceled, NotFound

from ..chaos.shaky_s3 import ShakyS3
from ..support.holding import held
from ..support.models import model
from ..support.waiting import until
from .test_runs import Runs, compared, computed, read

#: Rows of a table, and of a shard.
ROWS, SHARD_ROWS = 300, 60


@pytest.fixture(scope="module")
def shaky(s3: JobsSettings) -> Iterator[ShakyS3]:
    """What run workers take for S3."""
    with ShakyS3(str(s3.s3_endpoint_url)) as shaky:
        yield shaky


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, shaky: ShakyS3) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("again")
    (folder / "models.toml").write_text(
        model("words", "embedding", max_batch_size=16, reject_on="REJECT")
        + model("slow", "embedding", max_batch_size=4, hold=str(folder / "hold"))
    )
    env = {
        "WHERRY_LEASE_TTL_S": "5",
        "WHERRY_RUN_SEGMENT_S": "0.2",
        "AWS_ENDPOINT_URL": shaky.url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, run_workers=2, env=env
    ) as stack:
        yield stack


@pytest.fixture
def runs(fleet: Stack) -> Iterator[Runs]:
    runs = Runs(fleet)
    yield runs
    runs.client.close()


@pytest.fixture
def let_go(fleet: Stack) -> Iterator[Callable[[], None]]:
    with held(fleet.data_dir / "hold") as let_go:
        yield let_go


@pytest.fixture
def bucket(s3: JobsSettings) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=s3.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )


def table_of(folder: Path, texts: list[str]) -> Path:
    table = folder / "rows.jsonl"
    rows = [json.dumps({"id": f"r{n}", "text": text}) + "\n" for n, text in enumerate(texts)]
    table.write_text("".join(rows))
    return table


def texts_of(what: str, rows: int = ROWS) -> list[str]:
    return [f"{what} {n}" + (" REJECT" if n % 100 == 70 else "") for n in range(rows)]


def done(runs: Runs, **asked: Any) -> dict[str, Any]:
    run = runs.ended(runs.begin(**{"model": "words", "shard_rows": SHARD_ROWS, **asked}))
    assert (run["state"], run["error"]) == ("succeeded", None)
    return run


def alone(runs: Runs, folder: Path, table: Path, format_name: str = "jsonl") -> dict[str, bytes]:
    """What `wherry annotate` writes of it."""
    out = folder / "alone" / f"annotations.{format_name}"
    annotate(runs.client, Options(source=str(table), model="words", out=out))
    return compared(read(out.parent, out))


def stored(fleet: Stack) -> JobsSettings:
    return JobsSettings(redis_url=fleet.redis_url, store_dir=fleet.data_dir / "blobs")


def test_rows_of_an_earlier_run_are_not_computed_again(runs: Runs, tmp_path: Path) -> None:
    texts = texts_of("grown")
    done(runs, source=str(table_of(tmp_path, texts)))
    # Some come between, which moves all the others into other shards; some are gone.
    grown = texts[:30] + texts_of("new in it", 25) + texts[40:] + texts[:5]
    table, before = table_of(tmp_path, grown), computed(runs, "words")
    run = done(runs, source=str(table), shard_rows=70)
    assert computed(runs, "words") - before == 25 + 3, "new ones, and those that failed"
    rows = run["rows"]
    assert (rows["total"], rows["failed"]) == (320, 3)
    assert (rows["answered"], rows["reused"]) == (317, 292)
    again = done(runs, source=str(table), format="parquet", shard_rows=50)
    assert computed(runs, "words") - before == 25 + 3 + 3
    assert again["rows"]["reused"] == 317
    assert compared(runs.files(run["id"])) == alone(runs, tmp_path, table)


def test_a_run_that_is_told_to_computes_all_again(runs: Runs, tmp_path: Path) -> None:
    table = table_of(tmp_path, texts_of("told"))
    first = done(runs, source=str(table))
    assert first["reuse"] is True
    before = computed(runs, "words")
    run = done(runs, source=str(table), reuse=False)
    assert (run["reuse"], run["rows"]["reused"]) == (False, 0)
    assert computed(runs, "words") - before == ROWS
    other = done(runs, source=str(table), version=run["version"], name="other parameters")
    assert other["rows"]["reused"] == ROWS - 3


def test_an_earlier_run_that_is_forgotten_is_missed_by_nobody(
    runs: Runs, fleet: Stack, tmp_path: Path
) -> None:
    table = table_of(tmp_path, texts_of("forgotten"))
    first = done(runs, source=str(table))
    later = done(runs, source=str(table), format="parquet")
    assert later["rows"]["reused"] == ROWS - 3
    store = open_store(stored(fleet))
    runs.client.delete(f"/v2/runs/{first['id']}")
    until(lambda: list(store.blobs(f"run/{first['id']}/")), lambda blobs: not blobs)
    url = f"{fleet.url}/v2/runs/{later['id']}/output?format=jsonl"
    until(lambda: httpx.get(url).status_code, lambda status: status == 200)
    made = compared(runs.files(later["id"], "?format=jsonl"))
    assert made == alone(runs, tmp_path, table), "it has what it took"


def test_blobs_of_an_earlier_run_that_are_gone_are_computed(
    runs: Runs, fleet: Stack, tmp_path: Path
) -> None:
    """As when it is forgotten while the later one is at work."""
    table = table_of(tmp_path, texts_of("gone"))
    first = done(runs, source=str(table))
    store = open_store(stored(fleet))
    for number, kind in ((0, "segment"), (1, "keys")):
        for blob in store.blobs(f"run/{first['id']}/shard/{number:06}/{kind}/"):
            store.delete(blob.ref)
    before = computed(runs, "words")
    run = done(runs, source=str(table))
    assert computed(runs, "words") - before == 2 * SHARD_ROWS + 2
    assert run["rows"]["reused"] == 3 * SHARD_ROWS - 2
    assert compared(runs.files(run["id"])) == alone(runs, tmp_path, table)


def test_a_canceled_run_goes_on_from_what_it_has(
    runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    table = tmp_path / "few.csv"
    table.write_text("text\n" + "".join(f"row {number} to retry\n" for number in range(60)))
    run_id = runs.begin(source=str(table), model="slow", shard_rows=20)
    until(lambda: runs.view(run_id), lambda run: run["rows"]["in_flight"] > 0)
    with Client(runs.stack.url) as client:
        with pytest.raises(Conflict, match="nothing to retry"):
            client.runs.retry(run_id)
        client.runs.cancel(run_id)
        with pytest.raises(JobCanceled):
            client.runs.fetch(run_id, tmp_path / "none.jsonl")
        with pytest.raises(NotFound):
            client.get(f"/v2/runs/{run_id}/output?format=csv")
        assert client.runs.retry(run_id).state == "running"
        let_go()
        run = runs.ended(run_id)
        assert (run["state"], run["rows"]["answered"], run["rows"]["failed"]) == (
            "succeeded",
            60,
            0,
        )
        assert run["rows"]["in_flight"] == 0
        out = client.runs.fetch(run_id, tmp_path / "all.jsonl")
    assert len(out.read_text().splitlines()) == 60


def test_a_run_that_failed_at_its_output_is_exported_and_goes_on(
    runs: Runs, tmp_path: Path
) -> None:
    """A disk that is full, and one on which nothing else may be written, are the same to it."""
    table, out = table_of(tmp_path, texts_of("full")), tmp_path / "disk" / "out.csv"
    run_id = runs.begin(source=str(table), model="words", out=str(out), sample=SHARD_ROWS)
    runs.until(run_id, "held")
    out.mkdir()
    (out / "in the way").touch()
    runs.command(run_id, "resume")
    run = runs.ended(run_id)
    assert (run["state"], run["shards"]["done"]) == ("failed", run["shards"]["total"])
    before = computed(runs, "words")
    with Client(runs.stack.url) as client:
        csv, lines = tmp_path / "got.csv", tmp_path / "got.jsonl"
        assert client.runs.fetch(run_id, csv) == csv
        assert client.runs.fetch(run_id, lines) == lines
        alone(runs, tmp_path, table, "csv")
        assert csv.read_bytes() == (tmp_path / "alone" / "annotations.csv").read_bytes()
        (out / "in the way").unlink()
        out.rmdir()
        client.runs.retry(run_id)
    run = runs.ended(run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    assert out.read_bytes() == csv.read_bytes()
    assert computed(runs, "words") - before == ROWS, "annotate's own rows alone"


def test_an_output_in_its_source_is_refused_behind_a_url_too(runs: Runs, bucket: Any) -> None:
    bucket.put_object(Bucket="wherry", Key="again/rows/a.jsonl", Body=b'{"id": "a", "text": "x"}')
    bucket.put_object(Bucket="wherry", Key="again/rows/b.txt", Body=b"y")
    for source, out in (
        ("s3://wherry/again/rows", "s3://wherry/again/rows/out.jsonl"),
        ("s3://wherry/again/rows/*.jsonl", "s3://wherry/again/rows/out.jsonl"),
        ("s3://wherry/again/rows/a.jsonl", "s3://wherry/again/rows/a.jsonl"),
        ("s3://wherry/again/rows/a.jsonl", "S3://wherry/again"),
    ):
        asked = {"source": source, "out": out, "overwrite": True, "format": "jsonl"}
        run = runs.ended(runs.begin(model="words", **asked))
        assert (run["state"], run["rows"]["read"]) == ("failed", 0), (source, out)
        assert run["error"]["message"].endswith("name one elsewhere"), run["error"]


def test_a_bucket_that_is_away_is_waited_for_and_told(
    runs: Runs, shaky: ShakyS3, bucket: Any, tmp_path: Path
) -> None:
    table = table_of(tmp_path, texts_of("bucket", 20))
    shaky.always("503", "GET", "HEAD", "PUT", "POST", "DELETE")
    try:
        run_id = runs.begin(source=str(table), model="words", out="s3://wherry/again/out.jsonl")
        run = until(lambda: runs.view(run_id), lambda run: run["waiting_for"])
        assert (run["state"], run["error"]) == ("planning", None)
        waits = run["waiting_for"]
        assert waits["step"] == "plan"
        assert "s3://wherry/again/out.jsonl" in waits["reason"]
        seen = shaky.hit
        until(lambda: shaky.hit, lambda hit: hit > seen)
        assert runs.view(run_id)["waiting_for"]["since"] == waits["since"], "since the first time"
        shown = dict(lines_of(RunView.model_validate(run)))
        assert "s3://wherry/again/out.jsonl" in str(shown["waits for"])
    finally:
        shaky.well()
    run = runs.ended(run_id)
    assert (run["state"], run["error"], run["waiting_for"]) == ("succeeded", None, None)
    assert bucket.get_object(Bucket="wherry", Key="again/out.jsonl")["Body"].read()


def test_a_queue_that_is_full_is_waited_for_and_told(
    runs: Runs, fleet: Stack, tmp_path: Path
) -> None:
    table = table_of(tmp_path, texts_of("full queue"))
    before, queue = computed(runs, "words"), Queue(fleet.redis_url)
    run_id = runs.begin(source=str(table), model="words", sample=SHARD_ROWS, shard_rows=SHARD_ROWS)
    runs.until(run_id, "held")
    queue.redis.config_set("maxmemory", 1)
    try:
        runs.command(run_id, "resume")
        run = until(lambda: runs.view(run_id), lambda run: run["waiting_for"])
        assert run["state"] == "running"
        assert "memory is full" in run["waiting_for"]["reason"]
    finally:
        queue.redis.config_set("maxmemory", 0)
        queue.close()
    run = runs.ended(run_id)
    assert (run["state"], run["rows"]["total"], run["waiting_for"]) == ("succeeded", ROWS, None)
    assert computed(runs, "words") - before == ROWS


def test_what_was_reused_is_known_to_whoever_goes_on(
    runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    let_go()
    texts = [f"row {number} to go on with" for number in range(60)]
    done(runs, source=str(table_of(tmp_path, texts[:40])), model="slow")
    table = table_of(tmp_path, texts)
    with held(runs.stack.data_dir / "hold") as let_go_again:
        before = computed(runs, "slow")
        run_id = runs.begin(source=str(table), model="slow", shard_rows=60)
        until(lambda: runs.view(run_id)["rows"], lambda rows: rows["in_flight"] > 0)
        runs.command(run_id, "pause")
        until(lambda: runs.view(run_id)["shards"], lambda shards: not shards["running"])
        assert runs.view(run_id)["rows"]["reused"] == 40
        let_go_again()
        runs.command(run_id, "resume")
        rows = runs.ended(run_id)["rows"]
    assert (rows["answered"], rows["reused"], rows["failed"]) == (60, 40, 0)
    assert computed(runs, "slow") - before == 20
