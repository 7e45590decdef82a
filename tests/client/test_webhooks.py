from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks

from wherry.client.webhooks import verify
from wherry.protocol.errors import InvalidRequest
from wherry.protocol.webhooks import secret_key, signature

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()
BODY = json.dumps(
    {"type": "job.succeeded", "timestamp": "2026-11-21T06:00:00.000Z", "data": {"id": "größe"}},
    ensure_ascii=False,
).encode()


def headers(*secrets: str, sent_at: float | None = None, **changes: str) -> dict[str, str]:
    at = int(time.time() if sent_at is None else sent_at)
    signed = signature([secret_key(s) for s in secrets], "msg_1", at, BODY)
    return {
        "Webhook-Id": "msg_1",
        "webhook-timestamp": str(at),
        "WEBHOOK-SIGNATURE": signed,
        **changes,
    }


def test_a_signed_call_is_read() -> None:
    webhook = verify(headers(SECRET), BODY, SECRET)
    assert (webhook.id, webhook.type, webhook.data) == ("msg_1", "job.succeeded", {"id": "größe"})


def test_the_reference_library_signs_and_verifies_alike() -> None:
    theirs, now = standardwebhooks.Webhook(SECRET), datetime.now(UTC)
    assert theirs.verify(BODY, headers(SECRET))["type"] == "job.succeeded"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        theirs.verify(BODY, headers(OTHER))
    signed = {
        "webhook-id": "msg_2",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": theirs.sign("msg_2", now, BODY.decode()),
    }
    assert verify(signed, BODY, SECRET).id == "msg_2"


def test_a_secret_is_changed_without_a_gap() -> None:
    """Either side may know both for a while."""
    assert verify(headers(OTHER, SECRET), BODY, SECRET)
    assert verify(headers(SECRET), BODY, [OTHER, SECRET])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"WEBHOOK-SIGNATURE": ""}, "webhook-signature is missing"),
        ({"Webhook-Id": ""}, "webhook-id is missing"),
        ({"webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "nan"}, "is no time"),
        ({"webhook-timestamp": "-1"}, "is no time"),
        ({"webhook-timestamp": "1" * 400}, "is no time"),
        ({"Webhook-Id": "msg_2"}, "no signature fits"),
        ({"WEBHOOK-SIGNATURE": "v1"}, "no signature fits"),
        ({"WEBHOOK-SIGNATURE": "v1,"}, "no signature fits"),
        ({"WEBHOOK-SIGNATURE": "v1,é,a,b"}, "no signature fits"),
        ({"WEBHOOK-SIGNATURE": "v1a,x v2,y"}, "no signature fits"),
    ],
)
def test_a_call_that_was_changed_is_refused(changed: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        verify({**headers(SECRET), **changed}, BODY, SECRET)


def test_a_body_that_was_changed_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no signature fits"):
        verify(headers(SECRET), BODY + b" ", SECRET)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_call_is_refused_though_it_is_signed(seconds: int) -> None:
    with pytest.raises(InvalidRequest, match="over 300 s from now"):
        verify(headers(SECRET, sent_at=time.time() + seconds), BODY, SECRET)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "hello", SECRET[6:], "whsec_!" + SECRET[7:], "whsec_" + "QUJD", "whsec_é"],
)
def test_a_secret_that_is_none_is_refused_unshown(secret: str) -> None:
    with pytest.raises(ValueError, match="a secret is whsec_ and base64") as refused:
        verify(headers(SECRET), BODY, secret)
    assert "QUJD" not in str(refused.value)
