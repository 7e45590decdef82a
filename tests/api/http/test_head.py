"""HEAD is answered as GET is, without the body."""

from __future__ import annotations

import httpx
import pytest

from ..conftest import Worker


@pytest.mark.parametrize(
    "path",
    [
        *("/v2", "/v2/health/live", "/v2/models/embedding", "/v1/models", "/v1/models/embedding"),
        *("/models/embedding/info", "/openapi.json", "/v2/queues", "/v1/files", "/console/"),
    ],
)
def test_head_has_the_status_and_headers_of_get(http: httpx.Client, path: str) -> None:
    got, head = http.get(path), http.head(path)
    assert head.status_code == got.status_code < 400
    assert head.content == b""
    named = ("content-type", "content-length")
    assert [head.headers.get(name) for name in named] == [got.headers.get(name) for name in named]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nope", 404), ("/v1/models/nope", 404), ("/v2/jobs/nope", 404), ("/v1/embeddings", 405)],
)
def test_head_of_what_is_not_there(http: httpx.Client, path: str, status: int) -> None:
    assert http.head(path).status_code == status


def test_head_of_a_stream_is_not_kept_open(http: httpx.Client, serving: Worker) -> None:
    answer = http.head("/v2/jobs:events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    # The connection is free for the next request.
    assert http.head("/v2/health/live").status_code == 200
