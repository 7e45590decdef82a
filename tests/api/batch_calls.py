"""What the tests of files and batches say to a server."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

ENDPOINT = "/v2/models/embedding/infer"


def line(number: int, url: str = ENDPOINT, body: object = None, **fields: object) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [f"text {number}"]}
    made = {"custom_id": f"c{number}", "method": "POST", "url": url}
    return {**made, "body": {"inputs": [tensor]} if body is None else body, **fields}


def jsonl(lines: list[Any]) -> bytes:
    return "".join((i if isinstance(i, str) else json.dumps(i)) + "\n" for i in lines).encode()


def upload(http: httpx.Client, data: bytes, **fields: str) -> dict[str, Any]:
    answer = http.post(
        "/v1/files", data={"purpose": "batch", **fields}, files={"file": ("in.jsonl", data)}
    )
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def create(http: httpx.Client, data: bytes, endpoint: str = ENDPOINT, **fields: Any) -> str:
    body = {"input_file_id": upload(http, data)["id"], "endpoint": endpoint, **fields}
    answer = http.post("/v1/batches", json={"completion_window": "24h", **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "validating"
    return str(answer.json()["id"])


def ended(http: httpx.Client, batch_id: str, seconds: float = 30) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        batch: dict[str, Any] = http.get(f"/v1/batches/{batch_id}").json()
        if batch["status"] in ("failed", "completed", "expired", "cancelled"):
            return batch
        assert time.monotonic() < deadline, batch
        time.sleep(0.02)


def lines_of(http: httpx.Client, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    answer = http.get(f"/v1/files/{file_id}/content")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    return [json.loads(text) for text in answer.content.splitlines()]
