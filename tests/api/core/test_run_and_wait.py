"""A job that nobody named is soon forgotten once its answer went to the client that waited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from wherry.api.core.run_and_wait import keep_answer
from wherry.api.core.service import Service
from wherry.jobs import JobsSettings
from wherry.jobs.call import Call
from wherry.jobs.keys import Keys
from wherry.protocol.errors import QueueLoading, Unavailable

from ..conftest import Server, Worker
from ..surfaces.instill.entries import MODELS, entries
from ..surfaces.pixano.asks import ASKS

KEYS = Keys("wherry")
INFER = "/v2/models/embedding/infer"
ASKED = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}

#: How a client of each surface asks and waits.
SURFACES: dict[str, tuple[str, Any]] = {
    "oip": (INFER, ASKED),
    "triton": ("/v2/models/text-generation/generate", {"text_input": "Once"}),
    "triton stream": ("/v2/models/text-generation/generate_stream", {"text_input": "Once"}),
    "hugging face": ("/models/embedding", {"inputs": "a"}),
    "openai": ("/v1/embeddings", {"model": "embedding", "input": "a"}),
    "openai stream": (
        "/v1/completions",
        {"model": "text-generation", "prompt": "Once", "stream": True},
    ),
    "instill": (f"{MODELS}/embedding/trigger", entries("embedding")),
    "pixano": ("/pixano/v1/inference/detection", ASKS["detection"]),
}


@pytest.fixture
def kept_for(worker: Worker) -> Callable[[], list[int]]:
    """Seconds that each ended job stays; -1 for one that has not ended."""

    def look() -> list[int]:
        redis: Any = worker.queue.redis
        return [redis.ttl(key) for key in redis.scan_iter(KEYS.job("*"))]

    return look


@pytest.fixture
def brief(api_settings: Any, jobs_settings: Any, redis_url: str) -> Iterator[httpx.Client]:
    """A server that keeps what was delivered for seven seconds, all other for a hundred."""
    changes = {"delivered_ttl_s": 7, "stream_ttl_s": 7}
    with (
        Server(api_settings, jobs_settings.model_copy(update=changes)) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        yield client


@pytest.mark.parametrize("surface", SURFACES)
def test_what_was_delivered_stays_for_minutes(
    brief: httpx.Client, serving: Worker, kept_for: Callable[[], list[int]], surface: str
) -> None:
    path, body = SURFACES[surface]
    answer = brief.post(path, json=body)
    assert answer.status_code == 200, answer.text
    [seconds] = kept_for()
    assert 1 <= seconds <= 7


def test_a_delivered_error_too(
    brief: httpx.Client, worker: Worker, kept_for: Callable[[], list[int]]
) -> None:
    late = {**ASKED, "parameters": {"timeout": 1000}}
    worker.serve_in(0.1)  # when it is
    assert brief.post(INFER, json=late).json()["error_type"] == "expired"
    [seconds] = kept_for()
    assert 1 <= seconds <= 7


NAMED = {
    "by its key": (INFER, ASKED, {"Idempotency-Key": "k"}),
    "by its id": (INFER, {**ASKED, "id": "mine"}, {"Prefer": "respond-async, wait=2"}),
    "as a job": ("/v2/models/embedding/jobs", ASKED, {"Prefer": "wait=2"}),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_its_client_has_named_stays_for_long(
    brief: httpx.Client, serving: Worker, kept_for: Callable[[], list[int]], name: str
) -> None:
    path, body, headers = NAMED[name]
    assert brief.post(path, json=body, headers=headers).status_code == 200
    [seconds] = kept_for()
    assert seconds > 90


@pytest.mark.parametrize("prefer", ["wait=0.4", "respond-async, wait=0.4", "respond-async"])
def test_who_waited_in_vain_polls_for_as_long_as_any(
    brief: httpx.Client, worker: Worker, kept_for: Callable[[], list[int]], prefer: str
) -> None:
    answer = brief.post(INFER, json=ASKED, headers={"Prefer": prefer})
    assert answer.status_code in {202, 504}
    worker.serve()
    [seconds] = kept_for()
    assert seconds > 90
    assert brief.get(f"{answer.headers['location']}/result").status_code == 200


def test_so_does_who_was_told_to_poll_while_redis_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails = iter([Unavailable, QueueLoading])

    class Queue:
        def __init__(self) -> None:
            self.asked = asyncio.Event()

        async def run(self, call: Call[None]) -> None:
            assert call.script is not None
            assert call.script.name == "keep"
            for error in fails:
                raise error
            self.asked.set()

    async def wait_in_vain() -> None:
        queue = Queue()
        service = SimpleNamespace(queue=queue, jobs=JobsSettings())
        await keep_answer(cast("Service", service), "job")
        assert not queue.asked.is_set()
        await asyncio.wait_for(queue.asked.wait(), 5)

    monkeypatch.setattr("wherry.api.core.run_and_wait._KEEP_PAUSE_S", 0.01)
    asyncio.run(wait_in_vain())
