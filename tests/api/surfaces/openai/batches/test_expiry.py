"""How long files and batches stay, over a real server. Time is moved on in Redis."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from redis import Redis

from wherry.api.settings import ApiSettings
from wherry.api.surfaces.openai.batches.growing import PART_BYTES
from wherry.jobs import JobsSettings
from wherry.jobs.expired import READ_OUT_S, Remover
from wherry.jobs.stores import open_store

from ....batch_calls import ENDPOINT, create, ended, jsonl, line, upload
from ....conftest import Server, Worker

HOUR_S, DAY_S = 3600, 86_400
THIRTY_DAYS_S = 30 * DAY_S


def expire(redis: Redis, prefix: str, file_id: str) -> None:
    """Let a file have expired so long ago that its bytes may go."""
    at = int(time.time()) - READ_OUT_S - 60
    record = json.loads(redis.get(f"{prefix}:file:{file_id}") or "")
    redis.set(f"{prefix}:file:{file_id}", json.dumps({**record, "expires_at": at}))
    redis.zadd(f"{prefix}:expiring:file", {file_id: at * 1000})


@pytest.fixture
def remover(worker: Worker, jobs_settings: JobsSettings) -> Remover:
    """What a worker sweeps with."""
    return Remover(worker.queue, open_store(jobs_settings), jobs_settings)


def kept_s(file: dict[str, Any]) -> int:
    return int(file["expires_at"]) - int(file["created_at"])


def test_a_file_stays_as_long_as_its_sender_says(http: httpx.Client) -> None:
    asked = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "7200"}
    assert kept_s(upload(http, b"x", **asked)) == 7200
    made = upload(http, b"x")
    assert kept_s(made) == THIRTY_DAYS_S, "OpenAI's own default for such files"
    assert http.get(f"/v1/files/{made['id']}").json() == made


def test_the_operator_says_how_long_files_stay_otherwise(
    api_settings: ApiSettings, jobs_settings: JobsSettings, redis_url: str
) -> None:
    for ttl_s, stays in ((DAY_S, DAY_S), (0, None)):
        settings = api_settings.model_copy(update={"files_ttl_s": ttl_s})
        with Server(settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
            made = upload(http, b"x")
            assert made["expires_at"] == (made["created_at"] + stays if stays else None)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"expires_after[anchor]": "created_at"}, "expires_after.seconds"),
        ({"expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"expires_after": "3600"}, "expires_after.anchor"),
        *(
            ({"expires_after[anchor]": anchor, "expires_after[seconds]": seconds}, param)
            for anchor, seconds, param in (
                ("last_active_at", "3600", "expires_after.anchor"),
                ("created_at", "3599", "expires_after.seconds"),
                ("created_at", "2592001", "expires_after.seconds"),
                ("created_at", "soon", "expires_after.seconds"),
            )
        ),
    ],
)
def test_a_time_that_cannot_be_is_refused_and_leaves_nothing(
    http: httpx.Client, jobs_settings: JobsSettings, fields: dict[str, str], param: str
) -> None:
    before = set(jobs_settings.store_dir.rglob("*"))
    data = {"purpose": "batch", **fields}
    answer = http.post("/v1/files", data=data, files={"file": ("in.jsonl", b"x")})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert {p for p in jobs_settings.store_dir.rglob("*") if p.is_file()} <= before


def test_an_expired_file_is_a_404_and_in_no_list(
    http: httpx.Client, worker: Worker, remover: Remover, jobs_settings: JobsSettings
) -> None:
    ids = []
    for number in range(6):
        ids.append(upload(http, b"%d" % number)["id"])
        time.sleep(0.002)
    for file_id in ids[1:4]:
        expire(worker.queue.redis, "wherry", file_id)
    path = f"/v1/files/{ids[2]}"
    for answer in (http.get(path), http.get(f"{path}/content"), http.delete(path)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    first = http.get("/v1/files?limit=3").json()
    assert [f["id"] for f in first["data"]] == [ids[5], ids[4], ids[0]], "a page is full"
    assert not first["has_more"]
    assert http.get("/v1/files?limit=2").json()["has_more"]
    body = {"input_file_id": ids[2], "endpoint": ENDPOINT}
    refused = http.post("/v1/batches", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input_file_id")
    assert remover.remove().files == 3
    assert not [p for p in jobs_settings.store_dir.rglob("*") if ids[2] in p.name]
    assert [f["id"] for f in http.get("/v1/files").json()["data"]] == [ids[5], ids[4], ids[0]]


def test_output_files_stay_as_long_as_the_batch_asks(http: httpx.Client, serving: Worker) -> None:
    after = {"anchor": "created_at", "seconds": HOUR_S}
    data = jsonl([line(0), line(1, body={"inputs": []})])
    batch = ended(http, create(http, data, output_expires_after=after))
    assert batch["output_expires_after"] == after
    for name in ("output_file_id", "error_file_id"):
        file = http.get(f"/v1/files/{batch[name]}").json()
        assert kept_s(file) == HOUR_S
        assert batch["output_expires_at"] == pytest.approx(file["expires_at"], abs=5)
    assert serving.queue.redis.zscore("wherry:expiring:batch", batch["id"]) == pytest.approx(
        (time.time() + THIRTY_DAYS_S) * 1000, abs=60_000
    ), "its record stays as long as the operator says"


def test_output_files_stay_as_long_as_the_operator_says_otherwise(
    http: httpx.Client, serving: Worker
) -> None:
    batch = ended(http, create(http, jsonl([line(0)])))
    assert batch["output_expires_after"] is None
    assert kept_s(http.get(f"/v1/files/{batch['output_file_id']}").json()) == THIRTY_DAYS_S


@pytest.mark.parametrize(
    ("after", "param"),
    [
        (3600, "output_expires_after"),
        ({}, "output_expires_after.anchor"),
        ({"anchor": "created_at", "seconds": 60}, "output_expires_after.seconds"),
        ({"anchor": "last_used", "seconds": 3600}, "output_expires_after.anchor"),
        ({"anchor": "created_at", "seconds": 3600, "x": 1}, "output_expires_after.x"),
    ],
)
def test_an_output_time_that_cannot_be_is_refused(
    http: httpx.Client, after: object, param: str
) -> None:
    body = {"input_file_id": upload(http, b"x")["id"], "endpoint": ENDPOINT}
    answer = http.post("/v1/batches", json={**body, "output_expires_after": after})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def begun_late(
    api_settings: ApiSettings, jobs_settings: JobsSettings, redis: Redis, *, swept: bool
) -> dict[str, Any]:
    """A batch whose input expired before anybody began it."""
    jobs = jobs_settings.model_copy(update={"key_prefix": "apart"})
    idle = api_settings.model_copy(update={"batches_at_once": 0})
    with Server(idle, jobs) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch_id = create(http, jsonl([line(0)]))
        file_id = http.get(f"/v1/batches/{batch_id}").json()["input_file_id"]
    expire(redis, "apart", file_id)
    # What it said when the batch was made is the same time, by now.
    asked = json.loads(redis.hget(f"apart:batch:{batch_id}", "asked") or "")
    asked["input_expires_at"] = int(time.time()) - 1
    redis.hset(f"apart:batch:{batch_id}", "asked", json.dumps(asked))
    if swept:
        redis.delete(f"apart:file:{file_id}")
    with Server(api_settings, jobs) as url, httpx.Client(base_url=url, timeout=60) as http:
        return ended(http, batch_id)


@pytest.mark.parametrize("swept", [False, True])
def test_a_batch_whose_input_expired_before_it_began_fails(
    api_settings: ApiSettings, jobs_settings: JobsSettings, worker: Worker, *, swept: bool
) -> None:
    batch = begun_late(api_settings, jobs_settings, worker.queue.redis, swept=swept)
    assert (batch["status"], batch["output_file_id"]) == ("failed", None)
    [error] = batch["errors"]["data"]
    assert error["code"] == "file_expired"
    assert batch["input_file_id"] in error["message"]
    assert "before the batch began" in error["message"]


def test_an_input_that_expires_under_a_running_batch_stays_to_its_end(
    http: httpx.Client, worker: Worker, remover: Remover
) -> None:
    """Of several parts, so that most of it is read after it has expired."""
    lines = [line(n, note="x" * 60_000) for n in range(200)]
    assert len(jsonl(lines)) > 2 * PART_BYTES
    batch_id = create(http, jsonl(lines))
    file_id = http.get(f"/v1/batches/{batch_id}").json()["input_file_id"]
    _run_until(http, batch_id, "in_progress")
    expire(worker.queue.redis, "wherry", file_id)
    assert http.get(f"/v1/files/{file_id}").status_code == 404
    assert remover.remove().files == 0
    while http.get(f"/v1/batches/{batch_id}").json()["status"] == "in_progress":
        worker.serve()
    batch = ended(http, batch_id)
    assert batch["request_counts"] == {"total": 200, "completed": 200, "failed": 0}
    assert remover.remove().files == 1


def test_the_input_of_a_running_batch_cannot_be_deleted(http: httpx.Client, worker: Worker) -> None:
    batch_id = create(http, jsonl([line(n) for n in range(3)]))
    _run_until(http, batch_id, "in_progress")
    path = f"/v1/files/{http.get(f'/v1/batches/{batch_id}').json()['input_file_id']}"
    refused = http.delete(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert "a batch reads" in refused.json()["error"]["message"]
    http.post(f"/v1/batches/{batch_id}/cancel")
    ended(http, batch_id)
    assert http.delete(path).json()["deleted"]


def test_an_ended_batch_is_forgotten_in_time(
    http: httpx.Client, worker: Worker, remover: Remover
) -> None:
    batch = ended(http, create(http, b""))
    assert remover.remove().batches == 0
    worker.queue.redis.zadd("wherry:expiring:batch", {batch["id"]: 1})
    assert remover.remove().batches == 1
    assert http.get(f"/v1/batches/{batch['id']}").status_code == 404
    assert http.get("/v1/batches").json()["data"] == []


def _run_until(http: httpx.Client, batch_id: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while (found := http.get(f"/v1/batches/{batch_id}").json()["status"]) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
