"""Retries and errors as a flow decides them, without a server."""

from __future__ import annotations

import pytest
from pydantic_core import to_json

from wherry.client.client import Client
from wherry.client.flow import Flow, HttpRequest, HttpResponse, Pause, ask, error_of
from wherry.protocol import errors

CALL = HttpRequest("GET", "/v2")


def pauses(flow: Flow[HttpResponse], *replies: HttpResponse) -> list[float]:
    """Feed a flow these replies; the seconds that it waits between them."""
    step, found = next(flow), []
    for reply in replies:
        assert step is CALL
        step = flow.send(reply)
        assert isinstance(step, Pause)
        found.append(step.seconds)
        step = flow.send(HttpResponse(0))
    return found


def test_it_never_comes_back_before_the_retry_after() -> None:
    busy = HttpResponse(503, headers={"retry-after": "7"})
    for _ in range(50):
        assert 7 <= pauses(ask(CALL, patience_s=60), busy)[0] < 8


def test_without_a_retry_after_the_pauses_grow_up_to_five_seconds() -> None:
    found = pauses(ask(CALL, patience_s=60), *[HttpResponse(0, failure="gone")] * 9)
    assert 0.05 <= found[0] <= 0.1
    assert 2.5 <= found[-1] <= 5.0
    assert found[-1] > found[3] > found[0]


@pytest.mark.parametrize("named", ["", "-1", "²", "Fri, 31 Dec 1999 23:59:59 GMT", "1.5"])
def test_a_retry_after_that_is_no_number_of_seconds_is_not_read(named: str) -> None:
    busy = HttpResponse(503, headers={"retry-after": named})
    assert pauses(ask(CALL, patience_s=60), busy)[0] <= 0.1


def test_it_does_not_wait_longer_than_its_patience() -> None:
    flow = ask(CALL, patience_s=5)
    next(flow)
    with pytest.raises(errors.Unavailable):
        flow.send(HttpResponse(503, headers={"retry-after": "6"}))


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert len(pauses(ask(CALL, patience_s=60), HttpResponse(status))) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 500])
def test_what_will_not_pass_is_raised_at_once(status: int) -> None:
    flow = ask(CALL, patience_s=60)
    next(flow)
    with pytest.raises(errors.WherryError):
        flow.send(HttpResponse(status))


def test_a_model_that_failed_is_not_asked_again() -> None:
    flow = ask(CALL, patience_s=60)
    next(flow)
    body = b'{"error": "model \'m\' could not be loaded: no folder", "error_type": "model_failed"}'
    with pytest.raises(errors.ModelFailed, match="no folder"):
        flow.send(HttpResponse(503, body))


def test_a_504_that_names_a_job_is_the_servers_last_word() -> None:
    flow = ask(CALL, patience_s=60)
    next(flow)
    with pytest.raises(errors.DeadlineExceeded):
        flow.send(HttpResponse(504, headers={"location": "/v2/jobs/a"}))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (429, errors.TenantLimit),
        (404, errors.NotFound),
        (405, errors.InvalidRequest),
        (409, errors.Conflict),
        (410, errors.JobGone),
        (413, errors.PayloadTooLarge),
        (500, errors.WherryError),
        (502, errors.Unavailable),
        (504, errors.DeadlineExceeded),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>no</html>", b"[1]", b'{"error": "no", "error_type": "new"}']
)
def test_an_error_that_it_does_not_know_is_taken_by_its_status(
    status: int, kind: type[errors.WherryError], body: bytes
) -> None:
    assert type(error_of(HttpResponse(status, body))) is kind


def test_an_error_that_it_knows_keeps_its_kind_and_text() -> None:
    body = to_json({"error": "too many rows", "error_type": "payload_too_large"})
    error = error_of(HttpResponse(400, body))
    assert isinstance(error, errors.PayloadTooLarge)
    assert error.message == "too many rows"


@pytest.mark.parametrize("url", ["localhost:8750", "ftp://host", "http://", "http://h:x", "/v2"])
def test_an_address_that_leads_nowhere_is_refused_at_once(url: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="url"):
        Client(url)


def test_the_address_comes_from_the_argument_the_environment_or_the_local_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WHERRY_URL", raising=False)
    assert Client().url == "http://127.0.0.1:8750"
    monkeypatch.setenv("WHERRY_URL", "https://fleet.example/wherry/")
    assert Client().url == "https://fleet.example/wherry"
    assert Client("http://other:1").url == "http://other:1"
