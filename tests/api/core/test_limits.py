"""Limits of a tenant, and of a run's time, as the HTTP and gRPC surfaces tell them."""

from __future__ import annotations

from typing import Any

import grpc
import httpx
import pytest

from wherry.api.http.errors import retry_after, status_of
from wherry.api.surfaces.oip_grpc.errors import code_of
from wherry.jobs import Queue
from wherry.jobs.keys import Keys
from wherry.protocol.errors import InvalidRequest, TenantLimit, from_code


def test_a_limit_is_429_with_retry_after_and_its_name() -> None:
    error = TenantLimit("this API key's limit max_waiting of 2 is reached", retry_after_s=7)
    assert status_of(error) == 429
    assert retry_after(error) == {"Retry-After": "7"}
    assert code_of(error) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert isinstance(from_code("limit_reached", "x"), TenantLimit)


def submit(http: httpx.Client, **parameters: Any) -> httpx.Response:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    body = {"inputs": [tensor], "parameters": parameters}
    return http.post("/v2/models/embedding/jobs", json=body)


@pytest.mark.parametrize(("seconds", "stored"), [(2, b"2000"), (0.25, b"250"), (0.0001, b"1")])
def test_the_time_that_a_job_may_run_is_kept_with_it(
    http: httpx.Client, redis_url: str, seconds: float, stored: bytes
) -> None:
    answer = submit(http, execution_timeout_s=seconds)
    assert answer.status_code == 202
    queue = Queue(redis_url)
    key = Keys("wherry").job(answer.json()["id"])
    assert queue.redis.hget(key, "execution_timeout_ms") == stored
    queue.close()


@pytest.mark.parametrize("odd", [0, -1, "5", True, 10**10])
def test_a_time_that_is_none_is_refused(http: httpx.Client, odd: object) -> None:
    answer = submit(http, execution_timeout_s=odd)
    assert answer.status_code == 400
    assert answer.json()["error_type"] == InvalidRequest.code
    assert "execution_timeout_s" in answer.json()["error"]
