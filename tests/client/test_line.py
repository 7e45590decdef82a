"""A bad line: answers get lost, servers are full or away; no job runs twice."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest

from wherry.client import Client
from wherry.ops.ports import free_port
from wherry.protocol import errors
from wherry.protocol.states import JobState

from .conftest import embed, vector
from .proxy import Answer, Drop, Lose, Proxy, Seen, full


def ids(seen: list[Seen]) -> set[str]:
    """The ids in these submissions."""
    return {json.JSONDecoder().raw_decode(s.body.decode("latin-1"))[0]["id"] for s in seen}


def test_a_full_server_is_asked_again_after_its_retry_after(shaky: Client, proxy: Proxy) -> None:
    proxy.once("/jobs", full(1))
    job = shaky.submit("embedding", embed("again"))
    first, second = proxy.asked("/embedding/jobs")
    assert second.at - first.at >= 1.0
    assert ids([first, second]) == {job.id}


@pytest.mark.parametrize("fate", [Drop(), Lose()])
def test_a_lost_submission_is_sent_again_as_the_same_job(
    fate: Drop | Lose, shaky: Client, proxy: Proxy, submitted: Callable[[], int]
) -> None:
    before = submitted()
    proxy.once("/jobs", fate)
    job = shaky.submit("embedding", embed("once"))
    assert ids(proxy.asked("/embedding/jobs")) == {job.id}
    assert len(proxy.asked("/embedding/jobs")) == 2
    assert shaky.wait(job.id, 20).status is JobState.SUCCEEDED
    assert submitted() == before + 1


@pytest.mark.parametrize("fate", [Drop(), Lose(), Answer(502), Answer(504)])
def test_a_lost_infer_is_sent_again_as_the_same_job(
    fate: Drop | Lose | Answer, shaky: Client, proxy: Proxy, submitted: Callable[[], int]
) -> None:
    before = submitted()
    proxy.once("/infer", fate)
    assert len(vector(shaky.infer("embedding", embed("once")))) == 8
    assert len(proxy.asked("/infer")) == 2
    assert submitted() == before + 1


def test_two_infers_are_two_jobs(client: Client, submitted: Callable[[], int]) -> None:
    before = submitted()
    request = embed("twice").to_inference_request()
    request.id = "mine"  # OIP lets it repeat
    client.infer("embedding", request)
    answer = client.infer("embedding", request)
    assert getattr(answer, "id", "") == "mine"
    assert submitted() == before + 2


def test_a_broken_long_poll_is_taken_up_again(shaky: Client, proxy: Proxy) -> None:
    job = shaky.submit("embedding", embed("poll"))
    proxy.once("/v2/jobs/", Drop())
    assert shaky.wait(job.id, 20).done
    assert len(proxy.asked("wait=")) == 2


def test_a_server_that_stays_full_is_an_error_in_its_own_words(shaky: Client, proxy: Proxy) -> None:
    proxy.rule = lambda _: full(90)
    with pytest.raises(errors.QueueFull, match="the queue is full"):
        shaky.submit("embedding", embed("never"))
    assert len(proxy.seen) == 1, "ninety seconds are more than its patience"


def test_a_server_that_is_away_is_an_error_after_the_patience() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", patience_s=0.4) as client:
        started = time.monotonic()
        with pytest.raises(errors.Unavailable, match="cannot be reached"):
            client.models()
        assert time.monotonic() - started < 10


def test_a_server_that_hangs_uses_up_the_patience_too(proxy: Proxy) -> None:
    over = threading.Event()

    def hang(_: Seen) -> Answer:
        over.wait(30)
        return Answer(500)

    proxy.rule = hang
    try:
        with (
            Client(proxy.url, timeout_s=0.3, patience_s=0.5) as client,
            pytest.raises(errors.Unavailable, match="timed out"),
        ):
            client.models()
        # 0.3 s each: the pauses alone would allow several more.
        assert len(proxy.seen) <= 3
    finally:
        over.set()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b"[]"])
def test_another_kind_of_server_is_an_error_of_ours(
    body: bytes, shaky: Client, proxy: Proxy
) -> None:
    proxy.rule = lambda _: Answer(200, body)
    with pytest.raises(errors.WherryError, match="Wherry server"):
        shaky.status("any")
