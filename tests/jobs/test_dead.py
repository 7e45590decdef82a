"""Dead letters in Redis: kept whole until they are replayed or dropped."""

from __future__ import annotations

import time

import pytest

from wherry.jobs import Group, JobsSettings, Queue
from wherry.jobs.batches import forget_soon
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.dead import drop, list_dead, read_dead
from wherry.jobs.fleet import heartbeat
from wherry.jobs.read import read
from wherry.jobs.recover import note_alone, reap, requeue, sweep
from wherry.jobs.submit import submit
from wherry.protocol.errors import Conflict, InvalidRequest, JobNotFound, NotFound
from wherry.protocol.states import JobState

from .conftest import GROUP

WORKER = "doomed@host/1"


@pytest.fixture
def once(settings: JobsSettings) -> JobsSettings:
    """A job's first crash is its last."""
    return settings.model_copy(update={"max_attempts": 1})


def claimed(queue: Queue, settings: JobsSettings, worker: str, group: Group = GROUP):
    return queue.run(claim(group, worker, {group.model_id: BatchBudget()}, settings)).jobs


def die_with(queue: Queue, settings: JobsSettings, *jobs) -> None:
    """Let a worker claim jobs and die."""
    for job in jobs:
        queue.run(submit(job, settings))
    for group in {job.group for job in jobs}:
        claimed(queue, settings, WORKER, group)
    assert queue.run(reap(WORKER, settings, gone=True)).dead == len(jobs)


def status(queue: Queue, settings: JobsSettings, job_id: str) -> JobState:
    [record] = queue.run(read([job_id], settings))
    assert record is not None
    return record.status


def test_they_are_listed_newest_first_page_by_page(queue, once, new_job):
    jobs = [new_job() for _ in range(7)]
    for job in jobs:
        die_with(queue, once, job)
    found, after = [], ""
    while True:
        page = queue.run(list_dead(once, limit=3, after=after))
        assert page.total == 7
        found += page.ids
        after = page.following
        if not after:
            break
    assert found == [job.id for job in reversed(jobs)]


def test_a_page_misses_none_of_those_that_died_together_nor_when_its_last_is_gone(
    queue, once, new_job
):
    jobs = [new_job() for _ in range(9)]
    die_with(queue, once, *jobs)
    first = queue.run(list_dead(once, limit=4))
    queue.run(drop(first.ids[-1], once))
    second = queue.run(list_dead(once, limit=4, after=first.following))
    third = queue.run(list_dead(once, limit=4, after=second.following))
    assert {*first.ids, *second.ids, *third.ids} == {job.id for job in jobs}
    assert len(first.ids + second.ids + third.ids) == 9
    assert third.following == ""


def test_filters_look_past_what_does_not_match(queue, once, new_job):
    other = Group("vision", "letters", "1")
    jobs = [new_job(group=GROUP if n % 2 else other) for n in range(6)]
    die_with(queue, once, *jobs)
    page = queue.run(list_dead(once, model="letters", limit=2))
    rest = queue.run(list_dead(once, model="letters", limit=2, after=page.following))
    assert {*page.ids, *rest.ids} == {job.id for job in jobs[::2]}
    assert len(queue.run(list_dead(once, error="worker_lost")).ids) == 6
    assert len(queue.run(list_dead(once, error="died 1 times")).ids) == 6
    assert queue.run(list_dead(once, error="out of memory")).ids == ()


@pytest.mark.parametrize("cursor", ["nonsense", "12", ":x", "99999999999999999:x"])
def test_a_made_up_cursor_is_refused(queue, once, cursor):
    with pytest.raises(InvalidRequest, match="after"):
        queue.run(list_dead(once, after=cursor))


def test_a_dead_letter_keeps_its_payload_and_record_for_ever(queue, once, new_job):
    job = new_job()
    die_with(queue, once, job)
    kept = [key for key in queue.redis.keys("wherry:*") if b":job:" in key or b":pay:" in key]
    assert len(kept) == 2
    assert [queue.redis.ttl(key) for key in kept] == [-1, -1]
    asked = queue.run(read_dead(job.id, once))
    assert (asked.size, asked.header, asked.ref) == (13, job.payload, "")


def test_a_replay_keeps_id_and_history_and_the_payload(queue, once, new_job):
    job = new_job()
    die_with(queue, once, job)
    queue.run(requeue(job.id, GROUP, once))
    queue.run(heartbeat("fresh", {}, once))
    [again] = claimed(queue, once, "fresh")
    assert (again.id, again.attempt) == (job.id, 1)
    assert queue.values([again.payload_key]) == [job.payload]
    [record] = queue.run(read([job.id], once))
    assert [change.status for change in record.history] == [
        *("queued", "running", "failed", "queued", "running"),
    ]
    assert queue.run(list_dead(once)).total == 0


def test_a_replay_is_under_suspicion_at_once_and_harms_nobody_beside_it(queue, once, new_job):
    letter, good = new_job(), new_job(group=Group("vision", "letters", "1"))
    die_with(queue, once, letter)
    queue.run(requeue(letter.id, GROUP, once))
    for job in (new_job(), new_job(), good):
        queue.run(submit(job, once))
    [again] = claimed(queue, once, WORKER)
    assert (again.id, again.attempt, again.is_suspect) == (letter.id, 1, True), "and alone"
    [beside] = claimed(queue, once, WORKER, good.group)
    assert not beside.is_suspect
    queue.run(note_alone(WORKER, letter.id, once))
    queue.run(reap(WORKER, once, gone=True))
    assert queue.run(list_dead(once)).ids == (letter.id,)
    assert status(queue, once, good.id) is JobState.QUEUED
    assert not any(job.is_suspect for job in claimed(queue, once, "fresh"))


def test_a_replayed_job_that_kills_again_is_a_dead_letter_again(queue, once, new_job):
    job = new_job()
    die_with(queue, once, job)
    queue.run(requeue(job.id, GROUP, once))
    claimed(queue, once, WORKER)
    queue.run(reap(WORKER, once, gone=True))
    assert queue.run(list_dead(once)).ids == (job.id,)


def test_dropped_it_is_a_failed_job_like_any_other(queue, once, new_job):
    job = new_job()
    die_with(queue, once, job)
    assert queue.run(drop(job.id, once)) == ""
    assert status(queue, once, job.id) is JobState.FAILED
    assert queue.redis.keys("wherry:pay:*") == []
    assert 0 < queue.redis.ttl(f"wherry:job:{job.id}") <= once.result_ttl_s
    for verb in (drop(job.id, once), requeue(job.id, GROUP, once)):
        with pytest.raises(Conflict, match="no dead letter"):
            queue.run(verb)


def test_a_payload_in_the_store_is_told_to_whoever_drops_it(queue, once, new_job):
    job = new_job(payload=b"", payload_ref="payload/1")
    die_with(queue, once, job)
    assert queue.run(read_dead(job.id, once)).ref == "payload/1"
    assert queue.run(drop(job.id, once)) == "payload/1"


def test_what_is_no_dead_letter_is_neither_shown_nor_dropped(queue, once, new_job):
    job = new_job()
    queue.run(submit(job, once))
    with pytest.raises(NotFound):
        queue.run(read_dead(job.id, once))
    with pytest.raises(Conflict):
        queue.run(drop(job.id, once))
    with pytest.raises(JobNotFound):
        queue.run(drop("nobody", once))
    assert status(queue, once, job.id) is JobState.QUEUED


def test_a_batch_that_forgets_its_jobs_leaves_the_dead_letters(queue, once, new_job):
    job = new_job()
    die_with(queue, once, job)
    queue.run(forget_soon([job.id], 0, once))
    assert queue.run(list_dead(once)).ids == (job.id,)
    assert queue.redis.ttl(f"wherry:job:{job.id}") == -1


def test_those_that_only_waited_while_one_ran_alone_are_not_blamed(queue, settings, new_job):
    bad, good = new_job(), new_job(group=Group("vision", "letters", "1"))
    for job in (bad, good):
        queue.run(submit(job, settings))
    for attempt in (1, 2, 3, 4):
        claimed(queue, settings, WORKER, good.group)
        if attempt < 4:
            claimed(queue, settings, WORKER)
            queue.run(note_alone(WORKER, bad.id, settings))
        queue.run(reap(WORKER, settings, gone=True))
    assert queue.run(list_dead(settings)).ids == (bad.id,)
    [record] = queue.run(read([good.id], settings))
    assert (record.status, record.attempt) == (JobState.QUEUED, 4)
    for _ in range(2):
        claimed(queue, settings, WORKER, good.group)
        queue.run(reap(WORKER, settings, gone=True))
    assert good.id in queue.run(list_dead(settings)).ids, "three crashes of its own"


def test_whoever_ran_alone_long_ago_takes_no_blame_off_others(queue, once, new_job):
    queue.run(note_alone(WORKER, "elsewhere", once))
    die_with(queue, once, new_job())
    assert queue.run(list_dead(once)).total == 1
    assert queue.redis.exists(f"wherry:alone:{WORKER}") == 0


def test_dead_letters_at_its_head_do_not_keep_the_index_from_being_cleaned(queue, once, new_job):
    letters, over = [new_job() for _ in range(60)], new_job()
    for start in (0, 30):
        die_with(queue, once, *letters[start : start + 30])
    queue.run(submit(over, once))
    queue.redis.delete(f"wherry:job:{over.id}")  # as its time to live does
    deadline = time.monotonic() + 10
    while queue.redis.zscore("wherry:index", over.id) is not None:
        assert time.monotonic() < deadline
        queue.run(sweep(once))
    assert queue.redis.zcard("wherry:index") == 60
