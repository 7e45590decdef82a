"""A run from bucket to bucket, of a tenant with a key, whose end is told to a webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from PIL import Image

from wherry.api.access.keys import Made, make, toml_entry
from wherry.client import Client
from wherry.client.annotate import Options, annotate
from wherry.jobs.settings import JobsSettings
from wherry.ops.stack import Stack
from wherry.protocol.errors import InvalidRequest

from ..support.models import model
from ..support.receiver import Receiver, status
from ..support.waiting import until

MODELS = model("words", "embedding", max_batch_size=16, reject_on="REJECT") + model(
    "object-detection"
)

ADMIN = make(scopes=("admin",))
ACME = make(tenant="acme", scopes=("submit", "read"), weight=2.0)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, s3: JobsSettings) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("far")
    (folder / "models.toml").write_text(MODELS)
    (folder / "keys.toml").write_text(toml_entry(ADMIN.key) + toml_entry(ACME.key))
    env = {
        "WHERRY_STORE_URL": s3.store_url,
        "WHERRY_S3_ENDPOINT_URL": str(s3.s3_endpoint_url),
        "WHERRY_S3_REGION": "us-east-1",
        "WHERRY_S3_ACCESS_KEY_ID": "id",
        "WHERRY_S3_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": str(s3.s3_endpoint_url),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "WHERRY_API_KEYS": str(folder / "keys.toml"),
        "WHERRY_RUN_PLACES": "s3://wherry/data/,local",
        "WHERRY_RUN_SEGMENT_S": "0.2",
        "WHERRY_WEBHOOK_HOSTS": "127.0.0.1:*",
        "WHERRY_WEBHOOK_SCHEMES": "http",
        "WHERRY_WEBHOOK_SECRETS": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    }
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, run_workers=2, env=env
    ) as stack:
        yield stack


@pytest.fixture
def bucket(s3: JobsSettings) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=s3.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.answers["/hook"] = status(200)
    yield receiver
    receiver.close()


def test_a_tenants_run_reads_and_writes_a_bucket_and_tells_its_end(
    far: Stack, bucket: Any, receiver: Receiver, tmp_path: Path
) -> None:
    rows = [
        json.dumps({"id": f"r{n}", "text": f"row {n}" + " REJECT" * (n == 7)}) for n in range(300)
    ]
    bucket.put_object(Bucket="wherry", Key="data/rows.jsonl", Body="\n".join(rows).encode())
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    with (
        Client(far.url, api_key=ACME.token) as client,
        Client(far.url, api_key=ADMIN.token) as admin,
    ):
        run_id = client.post(
            "/v2/runs",
            {
                "source": "s3://wherry/data/rows.jsonl",
                "model": "words",
                "out": "s3://wherry/data/out/vectors.jsonl",
                "shard_rows": 60,
                "webhook": receiver.url("/hook", host="127.0.0.1"),
            },
        )["id"]
        run = until(
            lambda: client.get(f"/v2/runs/{run_id}"),
            lambda run: run["state"] in ("succeeded", "failed"),
        )
        assert (run["state"], run["error"]) == ("succeeded", None)
        assert run["device_seconds"] > 0, "no tenant may read a model's counters: run workers do"
        told = until(lambda: [asked for asked in receiver.asked if asked.path == "/hook"])
        said = json.loads(told[0].body)
        assert (said["type"], said["data"]["state"]) == ("run.succeeded", "succeeded")
        options = Options(
            source=str(tmp_path / "rows.jsonl"), model="words", out=tmp_path / "vectors.jsonl"
        )
        annotate(client, options)
        for name in ("vectors.jsonl", "vectors.jsonl.errors.jsonl"):
            body = bucket.get_object(Bucket="wherry", Key=f"data/out/{name}")["Body"].read()
            assert body == (tmp_path / name).read_bytes()
        url, headers = f"{far.url}/v2/runs/{run_id}/output?format=csv", client.headers
        made = until(lambda: httpx.get(url, headers=headers), lambda got: got.status_code != 202)
        assert made.status_code == 200, made.text
        # Its key is gone with it: the API looks once a second which are there.
        until(lambda: run_id not in json.dumps(admin.get("/v2/keys")))
    response = httpx.get(f"{far.url}/v2/runs/{run_id}")
    assert response.status_code == 401


def test_a_folder_of_files_goes_to_a_bucket_as_the_shards_wrote_them(
    far: Stack, bucket: Any, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(130):
        file = photos / f"{number:03}.png"
        Image.new("RGB", (16 + number % 7, 12), (number, 0, 7)).save(file)
        bucket.put_object(Bucket="wherry", Key=f"data/photos/{file.name}", Body=file.read_bytes())
    with Client(far.url, api_key=ACME.token) as client:
        asked: dict[str, Any] = {"model": "object-detection", "format": "labelme"}
        source, out = "s3://wherry/data/photos", "s3://wherry/data/shapes"
        run_id = client.post("/v2/runs", {**asked, "source": source, "out": out, "shard_rows": 30})[
            "id"
        ]
        run = until(
            lambda: client.get(f"/v2/runs/{run_id}"),
            lambda run: run["state"] in ("succeeded", "failed"),
        )
        assert (run["state"], run["error"]) == ("succeeded", None)
        alone = tmp_path / "shapes"
        annotate(client, Options(source=str(photos), out=alone, **asked))
    files = list(alone.rglob("*.json"))
    assert len(files) == 130
    for file in files:
        key = f"data/shapes/{file.relative_to(alone).as_posix()}"
        assert bucket.get_object(Bucket="wherry", Key=key)["Body"].read() == file.read_bytes()
    told = run["output"]
    assert told["bytes"] > sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("who", [ACME, ADMIN], ids=["a tenant", "the operator"])
def test_where_keys_are_needed_no_table_names_a_file_of_a_run_workers_machine(
    far: Stack, bucket: Any, tmp_path: Path, who: Made
) -> None:
    """Though `local` is among the places, which is for a fleet without keys."""
    secret = tmp_path / "secret.png"
    Image.new("RGB", (16, 12)).save(secret)
    bucket.put_object(Bucket="wherry", Key="data/named/a.png", Body=secret.read_bytes())
    named = [f"file://{secret}", f"local://{secret}", str(secret), "a.png"]
    rows = "".join(json.dumps({"id": str(n), "image": url}) + "\n" for n, url in enumerate(named))
    bucket.put_object(Bucket="wherry", Key="data/named/rows.jsonl", Body=rows.encode())
    with Client(far.url, api_key=who.token) as client:
        source = "s3://wherry/data/named/rows.jsonl"
        run_id = client.post("/v2/runs", {"source": source, "model": "object-detection"})["id"]
        run = client.runs.wait(run_id)
        assert (run.state, run.error) == ("succeeded", None)
        client.runs.fetch(run_id, out := tmp_path / "out.jsonl")
        with pytest.raises(InvalidRequest, match="WHERRY_RUN_PLACES: s3://wherry/data/"):
            client.post("/v2/runs", {"source": str(tmp_path), "model": "object-detection"})
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["3"]
    failed = out.with_name("out.jsonl.errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in failed] == ["0", "1", "2"]
    assert "is in no place that runs may read" in failed[0]


@pytest.mark.parametrize("who", [ACME, ADMIN], ids=["a tenant", "the operator"])
def test_device_time_is_a_limit_for_whoever_has_a_key(far: Stack, bucket: Any, who: Made) -> None:
    rows = "\n".join(f"row {n} of {who.key.id}" for n in range(400))
    bucket.put_object(Bucket="wherry", Key="data/dear.csv", Body=f"text\n{rows}".encode())
    with Client(far.url, api_key=who.token) as client:
        asked = {"source": "s3://wherry/data/dear.csv", "model": "words", "shard_rows": 100}
        run_id = client.post("/v2/runs", {**asked, "max_device_seconds": 1e-6})["id"]
        run = until(
            lambda: client.get(f"/v2/runs/{run_id}"),
            lambda run: run["state"] in ("succeeded", "failed"),
        )
    assert run["state"] == "failed"
    assert run["error"]["error_type"] == "too_much_device_time"


@pytest.mark.slow
def test_an_output_in_a_bucket_replaces_nothing_unasked(far: Stack, bucket: Any) -> None:
    bucket.put_object(Bucket="wherry", Key="data/one.csv", Body=b"text\none row\n")
    bucket.put_object(Bucket="wherry", Key="data/kept/mine.jsonl", Body=b"dear")
    bucket.put_object(Bucket="wherry", Key="data/kept/half.jsonl.report.json", Body=b"{}")
    with Client(far.url, api_key=ACME.token) as client:

        def ended(name: str, **more: Any) -> dict[str, Any]:
            asked = {"source": "s3://wherry/data/one.csv", "model": "words", **more}
            out = f"s3://wherry/data/kept/{name}"
            run_id = client.post("/v2/runs", {**asked, "out": out})["id"]
            return until(
                lambda: client.get(f"/v2/runs/{run_id}"),
                lambda run: run["state"] in ("succeeded", "failed"),
            )

        for name, there in (
            ("mine.jsonl/", "mine.jsonl"),
            ("half.jsonl", "half.jsonl.report.json"),
        ):
            run = ended(name)
            assert run["state"] == "failed"
            assert f"{there}: is there" in run["error"]["message"]
            assert run["rows"]["read"] == 0, "before anything is computed"
        read = bucket.get_object(Bucket="wherry", Key="data/kept/mine.jsonl")["Body"].read
        assert read() == b"dear"
        assert ended("mine.jsonl", overwrite=True)["state"] == "succeeded"
        read = bucket.get_object(Bucket="wherry", Key="data/kept/mine.jsonl")["Body"].read
        assert read() != b"dear"
