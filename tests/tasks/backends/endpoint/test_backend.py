from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from wherry.protocol.errors import Unavailable
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.endpoint.backend import Endpoint
from wherry.tasks.registry import get_task
from wherry.tasks.text.text_generation import TextGenerationInput

from ....support.receiver import Receiver, status


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """One whose answers cost 5 each."""
    monkeypatch.setenv("WHERRY_ENDPOINT_HOSTS", "127.0.0.1:*")
    monkeypatch.setenv("WHERRY_ENDPOINT_SCHEMES", "http")
    monkeypatch.setenv("WHERRY_OUTBOUND_NETWORKS", "127.0.0.1/32")
    answer = {
        "choices": [{"text": "hello", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 3},
    }
    receiver = Receiver()
    receiver.answers = {
        "/v1/models": status(200, b"{}"),
        "/v1/completions": status(200, json.dumps(answer).encode()),
    }
    endpoint = Endpoint(
        get_task("text-generation"),
        receiver.url("/v1", "127.0.0.1"),
        device=Device("cpu"),
        protocol="openai",
        model="m",
        price_in=1e6,
        price_out=1e6,
        spend_per_day=100.0,
    )
    endpoint.load()
    yield endpoint
    endpoint.close()
    receiver.close()


def test_what_was_spent_last_is_told_when_it_is_closed(endpoint: Endpoint) -> None:
    told: list[float] = []

    def tell(day: int, amount: float) -> float:
        told.append(amount)
        return sum(told)

    row = TextGenerationInput(texts=["a"])
    endpoint.answer([row], [None])
    endpoint.meter(1, tell)
    endpoint.answer([row, row], [None, None])
    endpoint.close()
    endpoint.close()
    assert sum(told) == 15.0, "each answer once"


def test_a_queue_that_is_away_keeps_none_from_closing(endpoint: Endpoint) -> None:
    def tell(day: int, amount: float) -> float:
        raise Unavailable("Redis is away")

    with pytest.raises(Unavailable):
        endpoint.meter(1, tell)
    endpoint.answer([TextGenerationInput(texts=["a"])], [None])
    endpoint.close()
