"""Batches over a real server; the worker is played by the test."""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from wherry.jobs import JobsSettings

from ....batch_calls import ENDPOINT, create, ended, jsonl, line, lines_of, upload
from ....conftest import Worker


def test_every_line_is_answered_in_order(http: httpx.Client, serving: Worker) -> None:
    data = jsonl([line(n) for n in range(120)])
    batch = ended(http, create(http, data, metadata={"for": "a test"}))
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 120, "completed": 120, "failed": 0}
    assert batch["metadata"] == {"for": "a test"}
    assert batch["error_file_id"] is None
    for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at", "expires_at"):
        assert abs(batch[name] - time.time()) < 90_000
    found = lines_of(http, batch["output_file_id"])
    assert [one["custom_id"] for one in found] == [f"c{n}" for n in range(120)]
    assert len({one["id"] for one in found}) == 120
    assert all(one["error"] is None for one in found)
    alone = http.post(ENDPOINT, json=line(7)["body"]).json()
    response = found[7]["response"]
    assert response["status_code"] == 200
    assert response["body"]["outputs"] == alone["outputs"]
    assert response["request_id"] == f"{batch['id']}-8"
    file = http.get(f"/v1/files/{batch['output_file_id']}").json()
    assert file["purpose"] == "batch_output"


def test_a_request_keeps_its_own_id(http: httpx.Client, serving: Worker) -> None:
    one = line(1)
    one["body"]["id"] = "mine"
    batch = ended(http, create(http, jsonl([one])))
    [found] = lines_of(http, batch["output_file_id"])
    assert found["response"]["body"]["id"] == "mine"


def test_lines_that_fail_go_to_the_error_file(http: httpx.Client, serving: Worker) -> None:
    bad = line(1, body={"inputs": []})
    batch = ended(http, create(http, jsonl([line(0), bad, line(2)])))
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    [found] = lines_of(http, batch["error_file_id"])
    assert (found["custom_id"], found["response"]["status_code"]) == ("c1", 400)
    assert "inputs" in found["response"]["body"]["error"]
    assert [x["custom_id"] for x in lines_of(http, batch["output_file_id"])] == ["c0", "c2"]


def test_one_batch_may_ask_several_models(http: httpx.Client, serving: Worker) -> None:
    lines = [
        line(0),
        line(1, "/v2/models/embedding/versions/1/infer"),
        line(2, "/v2/models/ner/infer"),
    ]
    lines[2]["url"] = "/v2/models/fill-mask/infer"
    batch = ended(http, create(http, jsonl(lines), "/v2/models/{model}/infer"))
    assert batch["status"] == "completed", batch["errors"]
    assert batch["request_counts"]["total"] == 3
    versions = [
        x["response"]["body"]["model_version"] for x in lines_of(http, batch["output_file_id"])
    ]
    assert versions[:2] == ["2", "1"]


CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("/v1/chat/completions", CHAT, "chat.completion"),
        ("/v1/chat/completions", {**CHAT, "n": 3}, "chat.completion"),
        ("/v1/completions", {"model": "text-generation", "prompt": "a"}, "text_completion"),
        ("/v1/embeddings", {"model": "embedding", "input": ["a", "b"]}, "list"),
    ],
)
def test_openai_paths_answer_as_they_do_a_client(
    http: httpx.Client, serving: Worker, endpoint: str, body: dict[str, Any], kind: str
) -> None:
    lines = [line(n, endpoint, body) for n in range(3)]
    batch = ended(http, create(http, jsonl(lines), endpoint))
    assert batch["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    alone = http.post(endpoint, json=body).json()
    for found in lines_of(http, batch["output_file_id"]):
        answer = found["response"]["body"]
        assert answer["object"] == kind
        part = "choices" if "choices" in alone else "data"
        assert answer[part] == alone[part]


def test_a_stream_and_a_wrong_task_are_errors_of_their_lines(
    http: httpx.Client, serving: Worker
) -> None:
    path = "/v1/chat/completions"
    lines = [line(0, path, {**CHAT, "stream": True}), line(1, path, {**CHAT, "model": "embedding"})]
    batch = ended(http, create(http, jsonl(lines), path))
    found = lines_of(http, batch["error_file_id"])
    assert [one["response"]["status_code"] for one in found] == [400, 400]


def test_batches_are_listed_in_pages(http: httpx.Client) -> None:
    made = []
    for _ in range(3):
        made.append(create(http, b""))
        time.sleep(0.002)
    first = http.get("/v1/batches?limit=2").json()
    assert [b["id"] for b in first["data"]] == made[:0:-1]
    assert first["has_more"]
    rest = http.get("/v1/batches", params={"after": first["last_id"]}).json()
    assert [b["id"] for b in rest["data"]] == made[:1]
    assert http.get("/v1/batches?limit=101").status_code == 400
    assert http.get("/v1/batches?after=none").status_code == 400


def test_the_same_idempotency_key_is_the_same_batch(http: httpx.Client) -> None:
    body = {"input_file_id": upload(http, b"")["id"], "endpoint": ENDPOINT}
    headers = {"Idempotency-Key": "one"}
    ids = {http.post("/v1/batches", json=body, headers=headers).json()["id"] for _ in range(2)}
    assert len(ids) == 1
    other = {**body, "metadata": {"a": "b"}}
    assert http.post("/v1/batches", json=other, headers=headers).status_code == 409


def test_large_answers_and_bodies_go_through_the_store(
    http: httpx.Client, serving: Worker, jobs_settings: JobsSettings, texts: Callable[..., Any]
) -> None:
    body = texts(*("word " * 400 for _ in range(60)))
    assert len(json.dumps(body)) > jobs_settings.inline_max_bytes
    batch = ended(http, create(http, jsonl([line(n, body=body) for n in range(8)])))
    assert batch["request_counts"] == {"total": 8, "completed": 8, "failed": 0}


def test_results_in_the_store_go_once_they_are_in_the_output(
    http: httpx.Client,
    serving: Worker,
    jobs_settings: JobsSettings,
    texts: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wherry.api.core.blob_removal.KEPT_S", 0.1)
    body = texts(*(f"word {n}" for n in range(60)))
    small = jobs_settings.model_copy(update={"inline_max_bytes": 100})
    serving.jobs = small
    try:
        batch = ended(http, create(http, jsonl([line(n, body=body) for n in range(4)])))
    finally:
        serving.jobs = jobs_settings
    assert batch["request_counts"]["completed"] == 4
    assert len(lines_of(http, batch["output_file_id"])) == 4
    deadline = time.monotonic() + 5
    while any("result" in p.name for p in jobs_settings.store_dir.rglob(f"*{batch['id']}*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_file_may_begin_with_a_byte_order_mark(http: httpx.Client, serving: Worker) -> None:
    data = codecs.BOM_UTF8 + jsonl([line(0), line(1)])
    made = create(http, data, completion_window=None, metadata=None, output_expires_after=None)
    batch = ended(http, made)
    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}, batch["errors"]


def test_a_completion_is_scored_in_a_batch_too(http: httpx.Client, serving: Worker) -> None:
    url = "/v1/completions"
    body = {"model": "text-generation", "prompt": "One two", "echo": True, "logprobs": 1}
    batch = ended(http, create(http, jsonl([line(0, url, body)]), url))
    [found] = lines_of(http, batch["output_file_id"])
    alone = http.post(url, json=body).json()
    assert found["response"]["body"]["choices"] == alone["choices"]
    assert alone["choices"][0]["logprobs"]["tokens"] == ["One", " two", " Paris."]
