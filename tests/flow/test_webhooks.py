"""Webhooks while the API that delivers them is killed: the whole stack, real processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.client.webhooks import verify
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.receiver import Receiver, status
from ..support.waiting import until

pytestmark = pytest.mark.slow

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

MODELS = model("embedding")


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("calling")
    (folder / "models.toml").write_text(MODELS)
    env = {
        "WHERRY_WEBHOOK_HOSTS": "127.0.0.1:*",
        "WHERRY_WEBHOOK_SCHEMES": "http",
        "WHERRY_WEBHOOK_SECRETS": SECRET,
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
        "WHERRY_WEBHOOK_TIMEOUT_S": "1",
        "WHERRY_WEBHOOK_FIRST_PAUSE_S": "1",
    }
    with Stack(models=folder / "models.toml", data_dir=folder, flower=False, env=env) as stack:
        yield stack


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def submit(stack: Stack, receiver: Receiver, job_id: str) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hi"]}
    answer = httpx.post(
        f"{stack.url}/v2/models/embedding/jobs",
        json={"id": job_id, "inputs": [tensor]},
        headers={"Wherry-Webhook": receiver.url("/hook", host="127.0.0.1")},
    )
    assert answer.status_code == 202, answer.text


def delivered(stack: Stack, count: int) -> None:
    with Client(stack.url, patience_s=30) as client:
        until(lambda: client.get("/v2/webhooks")["totals"]["delivered"] >= count)


def told(receiver: Receiver) -> set[tuple[str, Any]]:
    """What the calls say: their ids, and their jobs' results."""
    calls = [verify(call.headers, call.body, SECRET) for call in receiver.asked]
    return {(call.id, call.data["id"]) for call in calls}


@pytest.mark.timeout(90)
def test_an_api_that_dies_between_two_tries_loses_no_webhook(
    calling: Stack, receiver: Receiver
) -> None:
    receiver.answers["/hook"] = status(500)
    before = _total(calling)
    submit(calling, receiver, "tried-twice")
    with Client(calling.url, patience_s=30) as client:
        while not client.get("/v2/webhooks?status=waiting")["webhooks"][:1] or not receiver.asked:
            time.sleep(0.05)
        calling.children["api"].signal(signal.SIGKILL)
        receiver.answers["/hook"] = status(204)
        client.wait("tried-twice", timeout_s=30)
    delivered(calling, before + 1)
    assert len(receiver.asked) >= 2
    assert len(told(receiver)) == 1


@pytest.mark.timeout(90)
def test_an_api_that_dies_before_it_wrote_down_a_delivery_delivers_again(
    calling: Stack, receiver: Receiver
) -> None:
    def kill_before_the_answer(handler: BaseHTTPRequestHandler) -> None:
        receiver.answers["/hook"] = status(204)
        calling.children["api"].signal(signal.SIGKILL)
        status(204)(handler)

    receiver.answers["/hook"] = kill_before_the_answer
    before = _total(calling)
    submit(calling, receiver, "told-twice")
    delivered(calling, before + 1)
    assert len(receiver.asked) == 2
    assert len(told(receiver)) == 1
    with Client(calling.url, patience_s=30) as client:
        assert client.status("told-twice").status == "succeeded"


@pytest.mark.timeout(90)
def test_an_api_that_is_stopped_hands_its_deliveries_over(
    calling: Stack, receiver: Receiver
) -> None:
    def stop(handler: BaseHTTPRequestHandler) -> None:
        receiver.answers["/hook"] = status(204)
        calling.children["api"].signal(signal.SIGTERM)
        receiver.open.wait(20)

    receiver.answers["/hook"] = stop
    before = _total(calling)
    submit(calling, receiver, "handed-over")
    delivered(calling, before + 1)
    assert len(told(receiver)) == 1


def _total(stack: Stack) -> int:
    found: int = httpx.get(f"{stack.url}/v2/webhooks").json()["totals"]["delivered"]
    return found
