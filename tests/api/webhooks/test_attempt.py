from __future__ import annotations

import email.utils
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.webhooks.attempt import DeliveryResult, body_of, judged, message_id, pause_s
from wherry.jobs import Group, JobRecord
from wherry.protocol.states import JobState

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    assert judged(status, {}, NOW_S) == DeliveryResult()


@pytest.mark.parametrize("status", [300, 302, 307, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again_redirects_too(status: int) -> None:
    assert judged(status, {"location": "/"}, NOW_S) == DeliveryResult(f"answered {status}")


def test_410_ends_it() -> None:
    assert judged(410, {}, NOW_S).gone


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        (email.utils.formatdate(NOW_S + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW_S - 90, usegmt=True), 0),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        ("9" * 400, 999_999_999),
        ("Mon, 99 Jan 99999 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(given: str, seconds: int) -> None:
    assert judged(503, {"retry-after": given}, NOW_S).retry_after_s == seconds


def test_pauses_double_up_to_an_hour() -> None:
    pauses = [pause_s(DeliveryResult("no"), tries, 5.0, 0.0) for tries in range(12)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert pause_s(DeliveryResult("no"), 10**9, 5.0, 0.0) == 3600


@given(tries=st.integers(0, 1000), retry_after_s=st.floats(0, 10**6), part=st.floats(0, 1))
def test_a_random_part_is_taken_off_but_never_of_retry_after(
    tries: int, retry_after_s: float, part: float
) -> None:
    whole = pause_s(DeliveryResult("no"), tries, 5.0, 0.0)
    pause = pause_s(DeliveryResult("no", retry_after_s=retry_after_s), tries, 5.0, part)
    assert pause >= max(retry_after_s, whole / 2)
    assert pause <= max(retry_after_s, whole)


def test_a_tenant_is_told_its_own_ids() -> None:
    record = JobRecord(
        id="acme:x",
        task="embedding",
        group=Group("text", "embedding", "1", tenant="acme"),
        status=JobState.SUCCEEDED,
        attempt=1,
        rows=1,
        created_at_ms=0,
        started_at_ms=0,
        finished_at_ms=1,
        worker="",
        error_type="",
        error="",
        history=(),
        queue_position=None,
        estimated_start_at_ms=None,
    )
    told = json.loads(body_of(record, "https://fleet.example.org"))["data"]
    assert (told["id"], told["status_url"]) == ("x", "https://fleet.example.org/v2/jobs/x")


@given(st.text(min_size=1))
def test_a_name_on_the_wire_is_plain_and_its_own(name: str) -> None:
    assert message_id(name).replace("_", "").isalnum()
    assert message_id(name) == message_id(name) != message_id(f"{name}x")
