"""Runs that follow a folder or a prefix: what comes is answered once, whatever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from PIL import Image

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.jobs import Queue
from wherry.jobs.follow_records import RunFollow
from wherry.jobs.keys import Keys
from wherry.jobs.run_records import Shard
from wherry.jobs.runs import get_run, shards_of
from wherry.jobs.settings import JobsSettings
from wherry.jobs.stores import FolderStore
from wherry.ops.stack import Stack, runs_name
from wherry.protocol.errors import InvalidRequest
from wherry.runs.fold import forget

from ..support.models import model
from ..support.waiting import until

MODELS = model("pictures", "image-classification", max_batch_size=8, reject_on="REJECT") + model(
    "object-detection"
)

#: Seconds that files must stand still.
SETTLE_S = 0.3


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, s3: JobsSettings) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("follow")
    (folder / "models.toml").write_text(MODELS)
    env = {
        "WHERRY_LEASE_TTL_S": "3",
        "WHERRY_RUN_SEGMENT_S": "0.2",
        "WHERRY_RUN_SETTLE_S": str(SETTLE_S),
        "AWS_ENDPOINT_URL": str(s3.s3_endpoint_url),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    with Stack(
        models=folder / "models.toml",
        data_dir=folder,
        flower=False,
        run_workers=2,
        env=env,
        appendfsync="always",
    ) as stack:
        yield stack


@pytest.fixture
def client(fleet: Stack) -> Iterator[Client]:
    with Client(fleet.url, patience_s=120) as client:
        yield client


@pytest.fixture
def bucket(s3: JobsSettings) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=s3.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )


def picture(number: int) -> bytes:
    file = BytesIO()
    colour = (number % 251, number // 251, 7)
    Image.new("RGB", (16 + number % 7, 12), colour).save(file, "png")
    return file.getvalue()


def put(path: Path, data: bytes) -> None:
    """As who writes into a watched folder may: beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}")
    half.write_bytes(data)
    half.replace(path)


def begin(client: Client, source: str, **asked: Any) -> str:
    given = {"source": source, "model": "pictures", "follow": True, "follow_every_s": 0.2, **asked}
    run_id: str = client.post("/v2/runs", given)["id"]
    return run_id


def view(client: Client, run_id: str) -> dict[str, Any]:
    return client.get(f"/v2/runs/{run_id}")


def answered(client: Client, run_id: str, count: int) -> dict[str, Any]:
    """The run once so many rows are answered, and their shards are done."""

    def there(run: dict[str, Any]) -> bool:
        assert run["error"] is None, run["error"]
        shards = run["shards"]
        return bool(run["rows"]["answered"] >= count and shards["done"] == shards["total"])

    return until(lambda: view(client, run_id), there)


def ended(client: Client, run_id: str) -> dict[str, Any]:
    return until(lambda: view(client, run_id), lambda run: run["ended_at"] is not None)


def finished(client: Client, run_id: str) -> dict[str, Any]:
    client.post(f"/v2/runs/{run_id}/finish", {})
    run = ended(client, run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    return run


def records(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def parts(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("part-*.jsonl"))]


def test_what_comes_into_a_folder_is_answered_part_by_part(client: Client, tmp_path: Path) -> None:
    source, out = tmp_path / "incoming", tmp_path / "out.jsonl"
    source.mkdir()
    run_id = begin(client, str(source), out=str(out))
    assert until(lambda: view(client, run_id), lambda run: run["looked_at"])["rows"]["total"] == 0
    put(source / "b.png", picture(1))
    answered(client, run_id, 1)
    put(source / "a.png", picture(2))  # ahead of what is known
    put(source / "deep" / "c.png", picture(3))
    put(source / "notes.txt", b"no picture")
    (source / "d.png.part").write_bytes(picture(9))
    (source / ".hidden.png").write_bytes(picture(9))
    run = answered(client, run_id, 3)
    assert run["state"] == "running"
    assert run["follow"]["following"]
    there = parts(tmp_path / "out.jsonl.parts")
    whole = b"".join(there)
    assert [row["index"] for row in records(whole)] == [0, 1, 2]
    assert {row["id"] for row in records(whole)} == {"a.png", "b.png", "deep/c.png"}
    assert not out.exists(), "OUT comes at the end"
    put(source / "e.png", picture(4))
    run = finished(client, run_id)  # what is there at that moment is taken in
    assert run["rows"]["total"] == 4
    assert out.read_bytes() == b"".join(parts(tmp_path / "out.jsonl.parts"))
    assert out.read_bytes().startswith(whole), "parts stay as they were"
    assert run["left_out"] == {".txt": 1, ".part": 1}
    assert (tmp_path / "out.jsonl.report.json").exists()


def test_a_file_that_is_replaced_is_a_row_anew(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "incoming"
    put(source / "a.png", picture(1))
    put(source / "x@7", picture(5))
    run_id = begin(client, str(source))
    answered(client, run_id, 2)
    put(source / "a.png", picture(200))
    answered(client, run_id, 3)
    os.utime(source / "a.png", (1, 1))  # touched: who can tell that nothing else was
    run = answered(client, run_id, 4)
    (source / "a.png").unlink()
    looked = run["looked_at"]
    until(lambda: view(client, run_id), lambda run: run["looked_at"] > looked)
    run = finished(client, run_id)
    rows = client.get(f"/v2/runs/{run_id}/rows?limit=100")["rows"]
    assert sorted(row["id"] for row in rows) == ["a.png", "a.png@2", "a.png@3", "x@7@1"]
    assert run["rows"]["failed"] == 0


def test_objects_of_a_bucket_are_answered_as_they_come(
    client: Client, bucket: Any, tmp_path: Path
) -> None:
    def send(number: int, key: str, prefix: str = "live/") -> None:
        bucket.put_object(Bucket="wherry", Key=f"{prefix}{key}", Body=picture(number))

    run_id = begin(client, "s3://wherry/live", out="s3://wherry/done/out.csv", format="csv")
    until(lambda: view(client, run_id), lambda run: run["looked_at"])
    for number in range(30):
        send(number, f"{number:03}.png")
    answered(client, run_id, 30)
    send(100, "000a.png")  # between known ones
    send(101, "031.png")
    answered(client, run_id, 32)
    send(0, "000.png")  # the same again is nothing new
    send(102, "001.png")
    answered(client, run_id, 33)
    run = finished(client, run_id)
    assert run["rows"]["total"] == 33
    listed = bucket.list_objects_v2(Bucket="wherry", Prefix="done/out.csv.parts/")["Contents"]
    bodies = [bucket.get_object(Bucket="wherry", Key=item["Key"])["Body"].read() for item in listed]
    head = bodies[0].splitlines(keepends=True)[0]
    assert all(body.startswith(head) for body in bodies), "each part is a table of its own"
    joined = head + b"".join(body.removeprefix(head) for body in bodies)
    out = bucket.get_object(Bucket="wherry", Key="done/out.csv")["Body"].read()
    assert out == joined
    assert out.count(b"001.png@2") >= 1


def test_nothing_is_lost_nor_doubled_whatever_is_killed(
    client: Client, fleet: Stack, tmp_path: Path
) -> None:
    source, out = tmp_path / "incoming", tmp_path / "out.jsonl"
    source.mkdir()
    run_id = begin(client, str(source), out=str(out), shard_rows=7)
    kept: dict[str, bytes] = {}
    for number in range(120):
        put(source / f"{number * 7919 % 1000:03}.png", picture(number))
        time.sleep(0.03)
        if number % 20 == 10:
            fleet.children[runs_name(number // 20 % 2)].signal(signal.SIGKILL)
        if number in (45, 95):
            assert fleet.redis is not None
            os.kill(fleet.redis.pid, signal.SIGKILL)
        for path in (tmp_path / "out.jsonl.parts").glob("part-*.jsonl"):
            data = kept.setdefault(path.name, path.read_bytes())
            assert path.read_bytes() == data, "a part that is there stays as it is"
    answered(client, run_id, 120)
    run = finished(client, run_id)
    assert (run["rows"]["total"], run["rows"]["failed"]) == (120, 0)
    rows = records(out.read_bytes())
    assert sorted(row["id"] for row in rows) == sorted(path.name for path in source.iterdir())
    assert [row["index"] for row in rows] == list(range(120))
    assert out.read_bytes() == b"".join(parts(tmp_path / "out.jsonl.parts"))
    alone = tmp_path / "alone" / "annotations.jsonl"
    annotate(client, Options(source=str(source), model="pictures", out=alone))
    plain = {row["id"]: {**row, "index": 0} for row in records(alone.read_bytes())}
    assert {row["id"]: {**row, "index": 0} for row in rows} == plain


def test_a_run_is_paused_and_goes_on_with_what_came_meanwhile(
    client: Client, tmp_path: Path
) -> None:
    source = tmp_path / "incoming"
    put(source / "a.png", picture(1))
    run_id = begin(client, str(source))
    answered(client, run_id, 1)
    client.post(f"/v2/runs/{run_id}/pause", {})
    put(source / "b.png", picture(2))
    assert view(client, run_id)["state"] == "paused"
    client.post(f"/v2/runs/{run_id}/resume", {})
    answered(client, run_id, 2)
    client.post(f"/v2/runs/{run_id}/pause", {})
    put(source / "c.png", picture(3))
    run = finished(client, run_id)
    assert run["rows"]["total"] == 3, "finish lets it go on"


def test_a_run_that_nothing_came_to_is_finished_all_the_same(
    client: Client, tmp_path: Path
) -> None:
    (tmp_path / "incoming").mkdir()
    run_id = begin(client, str(tmp_path / "incoming"), follow_for_s=1)
    run = ended(client, run_id)
    assert (run["state"], run["error"], run["rows"]["total"]) == ("succeeded", None, 0)


def test_files_wait_for_others_to_share_their_part(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "incoming"
    put(source / "a.png", picture(1))
    run_id = begin(client, str(source), part_every_s=3600, shard_rows=3)
    until(lambda: view(client, run_id), lambda run: run["follow"]["waiting"] == 1)
    for number in range(2, 6):
        put(source / f"{number}.png", picture(number))
    run = answered(client, run_id, 3)
    assert run["shards"]["total"] == 1
    run = finished(client, run_id)
    assert (run["shards"]["total"], run["rows"]["total"]) == (2, 5)


def test_a_run_over_a_place_that_is_gone_for_a_while_goes_on(
    client: Client, tmp_path: Path
) -> None:
    source = tmp_path / "incoming"
    put(source / "a.png", picture(1))
    run_id = begin(client, str(source))
    answered(client, run_id, 1)
    source.rename(tmp_path / "away")
    until(lambda: view(client, run_id), lambda run: run["follow"]["trouble"])
    (tmp_path / "away").rename(source)
    put(source / "b.png", picture(2))
    run = answered(client, run_id, 2)
    assert run["follow"]["trouble"] == ""
    finished(client, run_id)
    shutil.rmtree(source)


def test_small_shards_are_put_together_and_say_the_same(
    client: Client, fleet: Stack, tmp_path: Path
) -> None:
    source, out = tmp_path / "incoming", tmp_path / "out.jsonl"
    for number in range(100):
        put(source / f"{number:03}.png", b"" if number == 50 else picture(number))
    run_id = begin(client, str(source), out=str(out), shard_rows=1)
    settings, queue = JobsSettings(redis_url=fleet.redis_url), Queue(fleet.redis_url)

    def shards() -> list[Shard]:
        return queue.run(shards_of(run_id, settings))

    def looks() -> RunFollow:
        run = queue.run(get_run(run_id, settings))
        assert run is not None
        assert run.progress.follow is not None
        return run.progress.follow

    until(shards, lambda found: any(s.folds for s in found) and sum(s.rows for s in found) == 100)
    until(shards, lambda found: len(found) < 100 - 2 * 31)
    assert [row["index"] for row in client.runs.rows(run_id)] == list(range(100))
    rows = list(client.runs.rows(run_id))
    assert [row["id"] for row in rows] == [f"{number:03}.png" for number in range(100)]
    quality = client.runs.quality(run_id)
    assert [each["rows"] for each in quality["stretches"]["stretches"]] == [50, 50]
    assert [failure["examples"] for failure in quality["failures"]] == [["050.png"]]
    assert quality["near_duplicates"]["pictures"] == 99
    for row in (rows[0], rows[20], rows[99]):
        small = Image.open(BytesIO(httpx.get(f"{fleet.url}{row['picture_url']}").content))
        number = row["index"]
        assert small.convert("RGB").getpixel((0, 0)) == pytest.approx((number, 0, 7), abs=6)
    failed = list(client.runs.rows(run_id, failed=True))
    assert [row["id"] for row in failed] == ["050.png"]
    keys = Keys(settings.key_prefix)
    for part in ("shards", "segments", "attempts"):
        assert queue.redis.hlen(keys.run(run_id, part)) <= len(shards()) + 2
    meanwhile = client.runs.fetch(run_id, tmp_path / "meanwhile.jsonl").read_bytes()
    # What was put together may go: nobody needs it.
    follow = until(looks, lambda follow: follow.replaced and follow.folded_at + 32 > 100)
    store = FolderStore(fleet.data_dir / "blobs")
    for replaced in follow.replaced:
        forget(store, run_id, replaced)
    names = {f"{shard.number:06}": shard.sheet for shard in shards()}
    for blob in store.blobs(f"run/{run_id}/"):
        kind, of, *rest = blob.key.split("/")[2:]
        if kind == "seen" and not rest:
            continue  # a list of files that were seen, of the run as a whole
        if kind in ("shard", "sheet", "pictures", "quality", "seen"):
            assert of in names, blob.key
            assert not names[of].startswith("f") or names[of] in "/".join(rest), blob.key
    run = finished(client, run_id)
    assert (run["rows"]["total"], run["rows"]["failed"]) == (100, 1)
    assert out.read_bytes() == b"".join(parts(tmp_path / "out.jsonl.parts")) == meanwhile
    assert b"050.png" in (tmp_path / "out.jsonl.errors.jsonl").read_bytes()
    assert b"050.png" in (tmp_path / "out.jsonl.parts" / "errors-000051.jsonl").read_bytes()
    alone = tmp_path / "alone" / "annotations.csv"
    annotate(client, Options(source=str(source), model="pictures", out=alone))
    table = client.runs.fetch(run_id, tmp_path / "again.csv", format="csv")
    assert table.read_bytes() == alone.read_bytes(), "an export, of answers that were moved"
    queue.close()
    again = client.post("/v2/runs", {"source": str(source), "model": "pictures"})
    later = ended(client, again["id"])
    assert (later["state"], later["rows"]["reused"]) == ("succeeded", 99)
    client.runs.forget(run_id)
    until(lambda: list(store.blobs(f"run/{run_id}/")), lambda blobs: not blobs)


def test_what_is_committed_is_fetched_while_it_goes_on(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "incoming"
    for number in range(5):
        put(source / f"{number}.png", picture(number))
    run_id = begin(client, str(source), format="csv", shard_rows=2)
    answered(client, run_id, 5)
    part = client.runs.fetch(run_id, tmp_path / "so far.csv").read_bytes()
    assert part.count(b"id,path") == 1, "one head, of three parts"
    put(source / "5.png", b"")
    # Counted while it is answered, and committed when its shard is done.
    until(lambda: view(client, run_id)["shards"], lambda shards: shards["done"] == 4)
    client.runs.cancel(run_id)
    path = client.runs.fetch(run_id, tmp_path / "canceled.csv")
    assert path.read_bytes() == part
    assert "5.png" in (tmp_path / "canceled.csv.errors.jsonl").read_text()


def test_what_cannot_be_followed_is_refused_by_name(client: Client, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows.csv").write_text("text\na\n")
    here = str(tmp_path / "in")
    for asked, told in (
        ({"source": "upload:x"}, "follow: an upload"),
        ({"source": here, "format": "coco-detection"}, "format: "),
        ({"source": here, "format": "parquet"}, "written whole"),
        ({"source": here, "sample": 5}, "sample: does not go with follow"),
        ({"source": here, "query": "select 1"}, "query: does not go with follow"),
        ({"source": here, "order_by": "id"}, "order_by: does not go with follow"),
        ({"source": here, "every": 1.0}, "every: does not go with follow"),
        ({"source": here, "follow": False, "part_every_s": 5}, "part_every_s: goes with follow"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            begin(client, **asked)
    (tmp_path / "out.jsonl.parts").mkdir()
    (tmp_path / "out.jsonl.parts" / "part-000001.jsonl").write_text("")
    for asked, told in (
        ({"source": f"{here}/rows.csv"}, "is a file"),
        ({"source": f"{here}/*.csv"}, "tables, shards, archives and films are not"),
        ({"source": f"{here}/none"}, "there is no such folder"),
        ({"source": here, "out": f"{here}/out.jsonl"}, "lies in the source"),
        ({"source": here, "out": f"{tmp_path}/out.jsonl"}, "parts of two runs"),
        ({"source": here, "out": f"{tmp_path}/out.parquet"}, "written whole"),
        ({"source": "s3://wherry/in", "out": "s3://wherry/in/out.jsonl"}, "lies in the source"),
    ):
        run_id = begin(client, **asked)
        run = ended(client, run_id)
        assert run["state"] == "failed"
        assert told in run["error"]["message"]
    run_id = client.post("/v2/runs", {"source": here, "model": "pictures"})["id"]
    with pytest.raises(InvalidRequest, match="follows nothing"):
        client.runs.finish(run_id)


def test_an_export_has_each_rows_own_picture(client: Client, tmp_path: Path) -> None:
    """Rows are in the order in which they came, which is not that of their names."""
    source = tmp_path / "incoming"
    put(source / "z.png", picture(1))
    run_id = begin(client, str(source), model="object-detection")
    answered(client, run_id, 1)
    put(source / "a.png", picture(2))
    answered(client, run_id, 2)
    finished(client, run_id)
    labels = client.runs.fetch(run_id, tmp_path / "labels", format="yolo")
    found = {path.name: path.read_bytes() for path in labels.rglob("*.png")}
    assert found == {"a.png": picture(2), "z.png": picture(1)}
