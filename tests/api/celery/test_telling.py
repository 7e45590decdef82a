"""Telling Celery of an answer, with Celery's own backend on a real Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from wherry.api.celery.telling import Teller
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.protocol.errors import InvalidTensor


def raising(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (lambda: {"n": 1}, "SUCCESS", {"n": 1}),
        (raising(InvalidTensor("holds NaN")), "FAILURE", "InvalidTensor"),
        (raising(TypeError("odd")), "FAILURE", "BackendError"),
    ],
    ids=["an answer", "one that JSON cannot carry", "one that cannot be read"],
)
def test_an_answer_that_cannot_be_made_is_told_as_an_error(
    api_settings: ApiSettings,
    jobs_settings: JobsSettings,
    redis_url: str,
    answer: Callable[[], Any],
    status: str,
    told: Any,
) -> None:
    async def tell() -> None:
        teller = Teller(jobs_settings, api_settings)
        try:
            await teller.succeeded(json.dumps({"id": "t1", "task": "wherry.submit"}), answer)
        finally:
            await teller.stop()

    asyncio.run(tell())
    with redis.Redis.from_url(redis_url) as client:
        kept = json.loads(client.get("celery-task-meta-t1") or b"null")
    assert kept["status"] == status
    assert (kept["result"] if status == "SUCCESS" else kept["result"]["exc_type"]) == told
