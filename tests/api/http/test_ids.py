from __future__ import annotations

import time
import uuid

import pytest

from wherry.api.http.ids import checked_id, id_from_path, job_path, uuid7
from wherry.protocol.errors import InvalidRequest, JobNotFound


def test_uuid7_is_one():
    made = uuid.UUID(uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - time.time()) < 1


def test_uuid7_does_not_repeat():
    assert len({uuid7() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("job_id", ["a", "a/b", "ü", "%2F", "a b", "😀" * 256])
def test_a_path_holds_any_id_in_one_segment(job_id):
    segment = job_path(checked_id(job_id)).removeprefix("/v2/jobs/")
    assert "/" not in segment
    assert id_from_path(segment) == job_id


@pytest.mark.parametrize("job_id", ["", ".", "..", "\t", "\x7f", "\x85", "\ud800", "x" * 257])
def test_what_cannot_be_an_id(job_id):
    with pytest.raises(InvalidRequest):
        checked_id(job_id)


def test_a_path_that_is_no_text_names_no_job():
    with pytest.raises(JobNotFound):
        id_from_path("%ff")
