"""Batches and lines that cannot be."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from ....batch_calls import ENDPOINT, create, ended, jsonl, line, upload
from ....conftest import Server


def test_what_is_wrong_with_a_file_is_told_by_line(http: httpx.Client) -> None:
    lines = [
        line(0),
        "{no json",
        "[1]",
        {**line(1), "custom_id": None},
        line(0),
        {**line(2), "method": "GET"},
        line(3, "/v1/embeddings"),
        {**line(4), "body": "text"},
        {**line(5), "url": None},
        {**line(6), "custom_id": "x" * 600},
    ]
    batch = ended(http, create(http, jsonl(lines)))
    assert (batch["status"], batch["output_file_id"]) == ("failed", None)
    assert batch["failed_at"]
    assert batch["errors"]["object"] == "list"
    assert [(e["line"], e["code"], e["param"]) for e in batch["errors"]["data"]] == [
        (2, "invalid_json_line", None),
        (3, "invalid_json_line", None),
        (4, "missing_required_parameter", "custom_id"),
        (5, "duplicate_custom_id", "custom_id"),
        (6, "invalid_method", "method"),
        (7, "invalid_url", "url"),
        (8, "missing_required_parameter", "body"),
        (9, "missing_required_parameter", "url"),
        (10, "invalid_custom_id", "custom_id"),
    ]


@pytest.mark.parametrize(
    ("data", "endpoint", "code"),
    [
        (b"", ENDPOINT, "empty_file"),
        (b"\n \n", ENDPOINT, "empty_file"),
        (jsonl([line(0, "/v2/models/none/infer")]), "/v2/models/none/infer", "model_not_found"),
        (jsonl([line(0, "/v1/embeddings", {})]), "/v1/embeddings", "missing_required_parameter"),
        (b"x" * 1_100_000, ENDPOINT, "line_too_long"),
        (b"\xff\xfe\n", ENDPOINT, "invalid_json_line"),
    ],
)
def test_a_file_that_cannot_be_a_batch_fails(
    http: httpx.Client, data: bytes, endpoint: str, code: str
) -> None:
    batch = ended(http, create(http, data, endpoint))
    assert batch["status"] == "failed"
    assert batch["errors"]["data"][0]["code"] == code


def test_more_lines_than_allowed_fail(
    api_settings: ApiSettings, jobs_settings: JobsSettings, redis_url: str
) -> None:
    settings = api_settings.model_copy(update={"max_batch_lines": 3})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch = ended(http, create(http, jsonl([line(n) for n in range(4)])))
        assert batch["errors"]["data"][0]["code"] == "too_many_lines"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"endpoint": "/v1/images"}, "endpoint"),
        ({"endpoint": 3}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": "31d"}, "completion_window"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"model": "x"}, "model"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused(
    http: httpx.Client, fields: dict[str, Any], names: str
) -> None:
    body = {"input_file_id": upload(http, b"x")["id"], "endpoint": ENDPOINT, **fields}
    answer = http.post("/v1/batches", json=body)
    assert answer.status_code == 400
    assert names in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/cancel")])
def test_an_unknown_batch_is_not_found(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, f"/v1/batches/batch_none{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
