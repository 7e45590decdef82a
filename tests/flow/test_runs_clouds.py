"""Runs from and to gs:// and az://, and of URLs, by a real fleet and an emulator of each cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.ops.stack import Stack
from wherry.tasks.samples import PNG

from ..support.clouds import Bucket, Cloud, bucket_of
from ..support.models import model
from ..support.receiver import Receiver, status
from ..support.waiting import until
from ..support.web import ranged

MODELS = model("words", "embedding", max_batch_size=16, reject_on="REJECT")
MODELS += model("pictures", "image-classification", max_batch_size=16)


class Fleet:
    """A fleet, its clouds, and a web server that it may fetch from."""

    def __init__(self, stack: Stack, buckets: dict[str, Bucket], web: Receiver) -> None:
        self.stack, self.buckets, self.web = stack, buckets, web

    def run(self, source: str, model: str = "words", **more: Any) -> dict[str, Any]:
        """A run that has ended."""
        with Client(self.stack.url) as client:
            run = client.post("/v2/runs", {"source": source, "model": model, **more})
            return until(
                lambda: client.get(f"/v2/runs/{run['id']}"),
                lambda run: run["state"] in ("succeeded", "failed"),
            )


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, gcs: Cloud, azure: Cloud) -> Iterator[Fleet]:
    folder: Path = tmp_path_factory.mktemp("clouds")
    (folder / "models.toml").write_text(MODELS)
    web = Receiver()
    with (
        pytest.MonkeyPatch.context() as here,
        bucket_of(gcs, here) as google,
        bucket_of(azure, here) as microsoft,
    ):
        buckets = {"gs": google, "az": microsoft}
        env = {
            **gcs.env,
            **azure.env,
            "WHERRY_RUN_PLACES": ",".join(each.url("data/") for each in buckets.values()),
            "WHERRY_RUN_SEGMENT_S": "0.2",
            "WHERRY_URL_HOSTS": "127.0.0.1:*",
            "WHERRY_URL_SCHEMES": "http",
            "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
        }
        with Stack(
            models=folder / "models.toml",
            data_dir=folder,
            flower=False,
            run_workers=2,
            env=env,
        ) as stack:
            yield Fleet(stack, buckets, web)
    web.close()


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_from_bucket_to_bucket(fleet: Fleet, scheme: str, tmp_path: Path) -> None:
    rows = [
        json.dumps({"id": f"r{n}", "text": f"row {n}" + " REJECT" * (n == 7)}) for n in range(300)
    ]
    bucket = fleet.buckets[scheme]
    bucket.put(**{"data/rows.jsonl": "\n".join(rows).encode()})
    asked: dict[str, Any] = {"out": bucket.url("data/out/vectors.jsonl"), "shard_rows": 60}
    run = fleet.run(bucket.url("data/rows.jsonl"), **asked)
    assert (run["state"], run["error"]) == ("succeeded", None)
    assert run["shards"]["total"] == 5
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    with Client(fleet.stack.url) as client:
        out = tmp_path / "vectors.jsonl"
        annotate(client, Options(source=str(tmp_path / "rows.jsonl"), model="words", out=out))
    for name in ("vectors.jsonl", "vectors.jsonl.errors.jsonl"):
        body = bucket.fs.cat_file(f"{bucket.name}/data/out/{name}")
        assert body == (tmp_path / name).read_bytes()
    again = fleet.run(bucket.url("data/rows.jsonl"), **asked)
    assert again["state"] == "failed"
    assert "is there" in again["error"]["message"]
    nowhere = fleet.run(bucket.url("data/none.jsonl"))
    assert "there is no such file or folder" in nowhere["error"]["message"]


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_folder_of_pictures_to_a_folder_of_files(fleet: Fleet, scheme: str) -> None:
    bucket = fleet.buckets[scheme]
    names = [f"{n // 10}/{n:03}.png" for n in range(45)]
    # A PNG has room for what is no picture behind its end: each is another file.
    bucket.put(**{f"data/in/{name}": PNG + name.encode() for name in names})
    run = fleet.run(
        bucket.url("data/in"),
        "pictures",
        out=bucket.url("data/classes"),
        format="yolo-classify",
        shard_rows=20,
    )
    assert (run["state"], run["error"]) == ("succeeded", None)
    assert (run["shards"]["total"], run["rows"]["answered"]) == (3, 45)
    written = bucket.fs.find(f"{bucket.name}/data/classes")
    assert sum(name.endswith(".png") for name in written) == 45
    report = json.loads(bucket.fs.cat_file(f"{bucket.name}/data/classes.report.json"))
    assert report["answered"] == 45


def test_urls_in_an_upload_and_a_table_that_is_one(fleet: Fleet, tmp_path: Path) -> None:
    web = fleet.web
    web.answers |= {f"/{n}.png": status(200, PNG) for n in range(30)}
    urls = [web.url(f"/{n}.png", "127.0.0.1") for n in range(31)]  # the last is not there
    (tmp_path / "urls.csv").write_text("\n".join(["url", *urls, "http://10.0.0.1/private.png"]))
    with Client(fleet.stack.url) as client:
        sent = client.runs.upload(str(tmp_path / "urls.csv"))
    run = fleet.run(sent["source"], "pictures", shard_rows=10)
    assert (run["state"], run["error"]) == ("succeeded", None)
    assert (run["rows"]["answered"], run["rows"]["failed"]) == (30, 2)
    with Client(fleet.stack.url) as client:
        client.runs.fetch(run["id"], str(tmp_path / "classes.jsonl"))
    failed = (tmp_path / "classes.jsonl.errors.jsonl").read_text()
    assert "answered 404: there is no such file" in failed
    assert "host '10.0.0.1' is not in WHERRY_URL_HOSTS" in failed

    web.answers["/rows.csv"] = ranged(b"text\n" + b"".join(b"row %d\n" % n for n in range(50)))
    run = fleet.run(web.url("/rows.csv", "127.0.0.1"), shard_rows=20)
    assert (run["state"], run["rows"]["answered"]) == ("succeeded", 50)


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_prefix_is_followed(fleet: Fleet, scheme: str) -> None:
    bucket = fleet.buckets[scheme]
    with Client(fleet.stack.url) as client:
        asked: dict[str, Any] = {"follow": True, "follow_every_s": 0.2, "model": "pictures"}
        out = bucket.url("data/labels.jsonl")
        run_id = client.post("/v2/runs", {**asked, "source": bucket.url("data/live"), "out": out})[
            "id"
        ]

        def answered(rows: int) -> None:
            until(
                lambda: client.get(f"/v2/runs/{run_id}"),
                lambda run: run["error"] or run["rows"]["answered"] == rows,
            )

        bucket.put(**{f"data/live/{n}.png": PNG + b"%d" % n for n in range(5)})
        answered(5)
        bucket.put(**{"data/live/2.png": PNG + b"other", "data/live/1a.png": PNG + b"new"})
        answered(7)
        client.runs.finish(run_id)
        run = client.runs.wait(run_id)
        assert (run.state, run.error, run.rows.total) == ("succeeded", None, 7)
        rows = client.get(f"/v2/runs/{run_id}/rows?limit=100")["rows"]
    ids = sorted(row["id"] for row in rows)
    assert ids == ["0.png", "1.png", "1a.png", "2.png", "2.png@2", "3.png", "4.png"]
    folder = f"{bucket.name}/data/labels.jsonl.parts"
    parts = sorted(bucket.fs.find(folder))
    joined = b"".join(bucket.fs.cat_file(part) for part in parts)
    assert joined == bucket.fs.cat_file(f"{bucket.name}/data/labels.jsonl")
