from __future__ import annotations

import email.utils
import json
import time

import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.backends.endpoint.faults import (
    AwayError,
    BrokenError,
    EndpointBusyError,
    check_status,
    quoted,
    retry_after_s,
)


def meaning(status: int, body: bytes = b"", *, has_answered: bool = False) -> Exception | None:
    try:
        check_status(status, {}, body, has_answered=has_answered, hidden={"sk-secret"})
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, type(None)),
        (302, AwayError),
        (400, RowError),
        (401, AwayError),
        (402, AwayError),
        (403, AwayError),
        (404, AwayError),
        (405, AwayError),
        (408, EndpointBusyError),
        (413, RowError),
        (422, RowError),
        (429, EndpointBusyError),
        (500, BrokenError),
        (502, EndpointBusyError),
        (503, EndpointBusyError),
        (504, EndpointBusyError),
        (529, EndpointBusyError),
    ],
)
def test_whose_fault_an_answer_is(status: int, kind: type[Exception]) -> None:
    assert type(meaning(status)) is kind


def test_forbidden_is_the_rows_own_once_others_were_answered() -> None:
    assert isinstance(meaning(403, has_answered=True), RowError)


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "too long", "type": "invalid_request_error"}},
        {"error": "too long"},
        {"detail": "too long"},
        {"message": "too long"},
    ],
)
def test_a_row_gets_the_servers_words(document: object) -> None:
    told = meaning(400, json.dumps(document).encode())
    assert str(told) == "the endpoint answered 400: too long"


def test_words_are_short_on_one_line_and_hold_no_secret() -> None:
    said = json.dumps({"error": "key sk-secret\nis \x00 wrong " + 1000 * "x"}).encode()
    text = quoted(said, {"sk-secret"})
    assert "sk-secret" not in text
    assert text.startswith(": key … is")
    assert text.isprintable()
    assert len(text) < 320
    assert quoted(b"", set()) == ""
    assert quoted(b"<h1>Bad Request</h1>", set()) == ": <h1>Bad Request</h1>"


def test_the_key_is_never_told_of_a_refused_one() -> None:
    told = meaning(401, b'{"error": "sk-secret is no key"}')
    assert str(told) == "it answers 401: is the key right?"


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_s("7") == 7.0
    assert retry_after_s("-1") == 0.0
    assert retry_after_s("") is None
    assert retry_after_s("soon") is None
    assert retry_after_s(email.utils.formatdate(time.time() - 100, usegmt=True)) == 0.0
