"""`wait`, `result` and `infer`: how long they take, and what they give."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wherry.client import Client, JobView
from wherry.protocol import errors, v2
from wherry.protocol.states import JobState
from wherry.tasks.vision.image_classification import ImageClassificationOutput

from .conftest import classify, embed
from .proxy import Answer, Fate, Proxy, Seen


def test_a_wait_that_is_too_short_leaves_the_job_alone(
    client: Client, let_go: Callable[[], None]
) -> None:
    job = client.submit("slow", classify(b"a"))
    for timeout_s in (0, 0.05):
        with pytest.raises(errors.DeadlineExceeded, match=f"{job.id}.*goes on"):
            client.wait(job.id, timeout_s)
    let_go()
    assert client.wait(job.id).status is JobState.SUCCEEDED


def test_a_server_that_holds_no_poll_is_not_asked_all_the_time(
    client: Client, shaky: Client, proxy: Proxy
) -> None:
    job = client.submit("slow", classify(b"b"))
    # As it stands now, at once, whatever the client asks.
    waiting = Answer(202, job.model_dump(mode="json"))
    proxy.rule = lambda _: waiting
    started = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        shaky.wait(job.id, 1.2)
    assert time.monotonic() - started >= 1.2, "an early answer is no reason to give up early"
    assert len(proxy.seen) <= 3
    proxy.rule = lambda _: None
    assert shaky.wait(job.id).done


def test_a_server_that_goes_away_ends_a_wait_in_its_time(shaky: Client, proxy: Proxy) -> None:
    job = shaky.submit("embedding", embed("a"))
    proxy.rule = lambda _: Answer(503)
    started = time.monotonic()
    with pytest.raises(errors.Unavailable):
        shaky.wait(job.id, 0.3)
    assert time.monotonic() - started < 10, "not its patience of a minute"


@pytest.mark.parametrize("job_id", ["", ".", "..", "nobody's", "a/b", "?wait=1"])
def test_an_unknown_job_is_not_found(job_id: str, client: Client) -> None:
    for ask in (client.status, client.wait, client.result, client.cancel):
        with pytest.raises(errors.JobNotFound):
            ask(job_id)


def test_infer_goes_on_where_the_server_stops_waiting(shaky: Client, proxy: Proxy) -> None:
    def hurry(seen: Seen) -> Fate:
        if seen.path.endswith("/infer"):
            return replace(seen, headers={**seen.headers, "Prefer": "wait=0"})
        return None

    proxy.rule = hurry
    request = classify(b"late").to_inference_request()
    request.id = "mine"
    answer = shaky.infer("slow", request)
    assert isinstance(answer, v2.InferenceResponse)
    assert answer.id == "mine"
    assert isinstance(shaky.infer("slow", classify(b"late")), ImageClassificationOutput)
    assert len(proxy.asked("/result")) == 2, "the server did stop waiting"


def test_infer_that_takes_too_long_names_the_job(
    client: Client, let_go: Callable[[], None]
) -> None:
    with pytest.raises(errors.DeadlineExceeded) as caught:
        client.infer("slow", classify(b"c"), 0.01)
    [job_id] = re.findall("job '([^']+)'", caught.value.message)
    let_go()
    assert isinstance(client.result(job_id), ImageClassificationOutput)


def test_infer_raises_the_jobs_error(client: Client) -> None:
    with pytest.raises(errors.RowError, match="row 1"):
        client.infer("image-classification", classify(b"good", b"REJECT"))


def test_a_result_past_the_inline_limit_is_the_same(client: Client) -> None:
    texts = [f"text {n}" for n in range(800)]  # 25 kB of FP32 and more as JSON
    job = client.submit("embedding", embed(*texts))
    assert client.result(job.id) == client.infer("embedding", embed(*texts))


def test_a_job_that_chose_its_outputs_has_a_plain_result(client: Client) -> None:
    request = classify(b"d").to_inference_request()
    request.outputs = [v2.RequestOutput(name="label")]
    response = client.result(client.submit("image-classification", request).id)
    assert isinstance(response, v2.InferenceResponse)
    assert [output.name for output in response.outputs] == ["label"]


def test_a_plain_result_tells_the_rows_that_failed(client: Client) -> None:
    request = classify(b"good", b"REJECT").to_inference_request()
    request.parameters["on_row_error"] = "skip"
    job = client.submit("image-classification", request)
    assert isinstance(client.result(job.id), ImageClassificationOutput)
    response = client.result(job.id, plain=True)
    assert isinstance(response, v2.InferenceResponse)
    assert list(json.loads(response.parameters["row_errors"])) == ["1"]


def test_a_failed_a_canceled_and_an_expired_job_raise_their_own_error(
    client: Client, let_go: Callable[[], None]
) -> None:
    bad = client.submit("image-classification", classify(b"REJECT"))
    for number in range(3):
        client.submit("slow", classify(b"%d" % number))
    late = client.submit("slow", classify(b"e"), timeout_s=1e-3, priority=9)
    gone = client.cancel(client.submit("slow", classify(b"f"), priority=9).id)
    let_go()
    wanted: list[tuple[JobView, type[errors.WherryError]]] = [
        (bad, errors.RowError),
        (late, errors.JobExpired),
        (gone, errors.JobCanceled),
    ]
    for job, kind in wanted:
        with pytest.raises(kind):
            client.result(job.id, 20)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"webhook": "https://hooks.example.org"}, "webhook"),  # this stack allows no host
        ({"execution_timeout_s": -1.0}, "execution_timeout_s"),
        ({"priority": 10}, "priority"),
    ],
)
def test_wishes_reach_the_server(client: Client, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        client.submit("embedding", embed("a"), **wish)
