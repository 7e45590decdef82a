"""A job is the same or another by the hash that it was stored with, whichever API stored it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wherry.api.core.envelope import Envelope
from wherry.api.core.fingerprint import fingerprint, is_earlier
from wherry.api.core.fleet_store import FleetStore, Presence
from wherry.api.core.intake import Intake
from wherry.api.core.new_job import PreparedJob
from wherry.api.core.submitter import Submitter
from wherry.api.egress.named_files import NO_FILES
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.jobs import AsyncQueue, JobsSettings, Queue
from wherry.jobs.keys import Keys
from wherry.jobs.proof import shown
from wherry.jobs.stores import FolderStore
from wherry.protocol import v2
from wherry.protocol.errors import Conflict
from wherry.tasks.models_file import load_catalog


def test_no_two_parts_read_as_one() -> None:
    prints = {fingerprint("a", "1", b"b"), fingerprint("a1", "", b"b"), fingerprint("a", "1b", b"")}
    assert len(prints) == 3
    assert {is_earlier(each) for each in prints} == {False}
    assert all(len(each) == 33 for each in prints)


def test_the_earlier_kind_is_what_the_version_before_has() -> None:
    earlier = fingerprint("m", "1", b"payload", earlier=True)
    assert earlier == "3742c424467670c6b2224b6cb890b6cf"
    assert is_earlier(earlier)


@pytest.fixture
def intake(models_file: Path) -> Intake:
    api = ApiSettings(models=models_file)
    return Intake(load_catalog(models_file), api, Outbound(api))


def asked(intake: Intake, text: str, *, earlier: bool) -> PreparedJob:
    document = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    request = v2.InferenceRequest.parse({"id": "mine", "inputs": [document]})
    hashing = replace(intake, earlier_hash=lambda: earlier)
    return hashing.prepare(hashing.check(request, "embedding", None, NO_FILES), Envelope())


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("words", [1, 15_000, 30_000])  # in Redis, sent ahead, in the store
def test_a_repeat_is_known_whichever_hash_it_was_stored_with(
    intake: Intake,
    redis_url: str,
    tmp_path: Path,
    words: int,
    stored: bool,
) -> None:
    jobs = JobsSettings(redis_url=redis_url, inline_max_bytes=100_000)
    first = asked(intake, "word " * words, earlier=stored)
    again = asked(intake, "word " * words, earlier=not stored)
    other = asked(intake, "else " * words, earlier=not stored)
    assert first.job.fingerprint != again.job.fingerprint

    async def run() -> None:
        queue, store = AsyncQueue(jobs.redis_url), FleetStore(FolderStore(tmp_path))
        outbound = Outbound(ApiSettings())
        presence = Presence(queue, store, intake.catalog, jobs)
        submitter = Submitter(queue, store, jobs, outbound, presence)
        try:
            assert (await submitter.store(first)).created
            assert not (await submitter.store(again)).created
            with pytest.raises(Conflict, match="job 'mine' exists with another body"):
                await submitter.store(other)
        finally:
            await queue.close()

    asyncio.run(run())


def test_new_jobs_have_the_earlier_one_while_an_api_lives_that_knows_no_other(
    redis_url: str,
) -> None:
    queue, jobs = Queue(redis_url), JobsSettings(redis_url=redis_url)
    redis: Any = queue.redis
    keys = Keys(jobs.key_prefix)
    assert not queue.run(shown(jobs, api="new")).wants_earlier_hash
    for reads in ("{}", '{"reads": "compact"}'):
        redis.hset(keys.apis, "old", f"{int(redis.time()[0]) * 1000} {reads}")
        assert queue.run(shown(jobs)).wants_earlier_hash
        redis.hdel(keys.apis, "old")
    assert not queue.run(shown(jobs)).wants_earlier_hash
    redis.delete(keys.apis)
    queue.close()
