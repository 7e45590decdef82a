"""Two tenants beside each other: ids, lists, queues and batches are each one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from ..batch_calls import create, ended, jsonl, line, upload
from ..conftest import Server, Worker
from ..keyed import Tenants, submitted, write_keys


def test_two_tenants_may_use_one_id(tenants: Tenants, keyed_worker: Worker) -> None:
    names = {key: submitted(tenants[key], f"of {key}", id="row/1") for key in ("acme", "beta")}
    assert names["acme"]["id"] == names["beta"]["id"] == "row/1"
    assert keyed_worker.serve() == 2
    for key in ("acme", "beta"):
        path = names[key]["result_url"]
        assert path == "/v2/jobs/row%2F1/result"
        assert tenants[key].get(path).json()["id"] == "row/1"
    answers = [tenants[key].get("/v2/jobs/row%2F1/result").json() for key in ("acme", "beta")]
    assert answers[0]["outputs"] != answers[1]["outputs"]


def test_two_tenants_may_use_one_idempotency_key(tenants: Tenants) -> None:
    body = {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["the same"]}],
    }
    headers = {"Idempotency-Key": "once"}
    ids = [
        tenants[key].post("/v2/models/embedding/jobs", json=body, headers=headers).json()["id"]
        for key in ("acme", "beta", "acme too", "beta")
    ]
    assert ids[0] != ids[1]
    assert ids[2:] == ids[:2]
    batch = {"endpoint": "/v2/models/embedding/infer", "completion_window": "24h"}
    made = [
        tenants[key].post(
            "/v1/batches",
            json={**batch, "input_file_id": upload(tenants[key], jsonl([line(1)]))["id"]},
            headers=headers,
        )
        for key in ("acme", "beta")
    ]
    assert [answer.status_code for answer in made] == [200, 200]
    assert made[0].json()["id"] != made[1].json()["id"]


def test_a_known_id_with_another_body_is_told_in_the_tenants_own_words(tenants: Tenants) -> None:
    submitted(tenants["acme"], "one", id="taken")
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["two"]}
    answer = tenants["acme"].post(
        "/v2/models/embedding/jobs", json={"inputs": [tensor], "id": "taken"}
    )
    assert answer.status_code == 409
    assert answer.json()["error"] == "job 'taken' exists with another body; use another id"


def test_nothing_shows_a_tenant_how_its_ids_are_kept(
    tenants: Tenants, keyed_worker: Worker
) -> None:
    acme = tenants["acme"]
    job = submitted(acme, "one", id="x")
    texts = [json.dumps(job), acme.get("/v2/jobs").text]
    keyed_worker.serve()
    texts += [acme.get(job[name]).text for name in ("status_url", "result_url", "events_url")]
    waiting = acme.post("/v2/models/embedding/jobs?x", json=body_of("two"))
    texts += [waiting.text, waiting.headers["location"]]
    late = acme.post(
        "/v2/models/embedding/infer", json=body_of("three"), headers={"Prefer": "wait=0"}
    )
    assert late.status_code == 504
    texts += [late.text, late.headers["location"]]
    assert acme.get(late.headers["location"]).status_code == 202
    cancelled = acme.post(waiting.headers["location"] + "/cancel")
    texts += [cancelled.text, acme.get(waiting.headers["location"] + "/result").text]
    texts.append(acme.get("/v2/jobs/none").text)
    for text in texts:
        told = text.replace('"tenant": "acme"', "").replace('"tenant":"acme"', "")
        assert "acme" not in told


def body_of(text: str) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]}


def test_a_list_has_a_tenants_own_jobs(tenants: Tenants) -> None:
    for number in range(3):
        for key in ("acme", "beta"):
            submitted(tenants[key], f"{key} {number}", id=f"{key}-{number}")
    for key in ("acme", "beta"):
        first = tenants[key].get("/v2/jobs?limit=2").json()
        assert [job["id"] for job in first["jobs"]] == [f"{key}-2", f"{key}-1"]
        second = tenants[key].get(f"/v2/jobs?limit=2&after={first['next']}").json()
        assert [job["id"] for job in second["jobs"]] == [f"{key}-0"]


def test_queues_show_a_tenant_its_own_groups(tenants: Tenants, keyed_worker: Worker) -> None:
    keyed_worker.beat("text", models=("embedding",))
    submitted(tenants["acme"], "one")
    submitted(tenants["acme"], "two")
    submitted(tenants["beta"], "three")
    seen = tenants["beta"].get("/v2/queues").json()
    assert [queue["waiting"] for queue in seen["queues"]] == [1]
    assert (seen["workers"], seen["totals"]) == ([], {"waiting": 1, "running": 0})
    fleet = tenants["admin"].get("/v2/queues").json()
    assert sorted(queue["waiting"] for queue in fleet["queues"]) == [1, 2]
    assert len(fleet["workers"]) == 1
    assert fleet["totals"]["waiting"] == 3


@pytest.fixture
def running(
    api_settings: ApiSettings, keyed_jobs: JobsSettings, redis_url: str, tmp_path: Path
) -> Iterator[Tenants]:
    """Clients of a server that runs batches, and ends with the test."""
    file = write_keys(tmp_path / "keys.toml")
    with Server(api_settings.model_copy(update={"api_keys": file}), keyed_jobs) as url:
        tenants = Tenants(url)
        yield tenants
        tenants.close()


def test_a_batch_runs_as_its_owner(
    running: Tenants, keyed_worker: Worker, keyed_jobs: JobsSettings
) -> None:
    tenants = running
    lines = [line(n) for n in range(3)]
    chat = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
    batch_id = create(tenants["acme"], jsonl(lines))
    chats = create(
        tenants["acme"],
        jsonl([line(9, "/v1/chat/completions", chat)]),
        endpoint="/v1/chat/completions",
    )
    owners = set()
    with redis.Redis.from_url(keyed_jobs.redis_url) as connection:
        while tenants["acme"].get(f"/v1/batches/{chats}").json()["status"] != "completed":
            for key in connection.scan_iter("keyed:job:*"):
                owners.add(str(connection.hget(key, "group")).split("/")[3])
            keyed_worker.serve()
    batch = ended(tenants["acme"], batch_id)
    assert (batch["status"], batch["request_counts"]["completed"]) == ("completed", 3)
    assert owners == {"acme"}
    path = f"/v1/files/{batch['output_file_id']}/content"
    assert "acme" not in tenants["acme"].get(path).text
    assert tenants["beta"].get(path).status_code == 404
    assert tenants["beta"].get("/v1/files").json()["data"] == []
    assert len(tenants["acme"].get("/v1/files").json()["data"]) == 4


def test_a_clients_hangup_cancels_its_own_job(tenants: Tenants, keyed_jobs: JobsSettings) -> None:
    with pytest.raises(httpx.ReadTimeout):
        tenants["acme"].post("/v2/models/embedding/infer", json=body_of("gone"), timeout=0.5)
    [job] = tenants["acme"].get("/v2/jobs").json()["jobs"]
    ended = tenants["acme"].get(job["status_url"], params={"wait": 3}).json()
    assert ended["status"] == "canceled"
