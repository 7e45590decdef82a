"""The life of a job against a real server: every verb, and what it must refuse."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from wherry.jobs import ClaimedJob, Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish, release
from wherry.jobs.fleet import groups, heartbeat, set_loaded, stats, view
from wherry.jobs.keys import Keys
from wherry.jobs.read import Wanted, list_jobs, read, result
from wherry.jobs.record import BatchStats
from wherry.jobs.recover import cancel, reap, requeue, sweep
from wherry.jobs.submit import submit
from wherry.protocol import errors
from wherry.protocol.states import JobState

GROUP = Group("vision", "digits", "1")
Make = Callable[..., NewJob]


def take(
    queue: Queue, settings: JobsSettings, worker: str = "w1", group: Group = GROUP, **budget: int
) -> tuple[ClaimedJob, ...]:
    budgets = {group.model_id: BatchBudget(**budget)}
    return queue.run(claim(group, worker, budgets, settings)).jobs


def end(queue: Queue, settings: JobsSettings, worker: str, *outcomes: Outcome) -> frozenset[str]:
    batch = BatchStats(group=GROUP, rows=len(outcomes), max_rows=32, executions=1)
    return queue.run(finish(worker, outcomes, batch, settings)).accepted


def status(queue: Queue, settings: JobsSettings, job_id: str) -> JobState:
    [record] = queue.run(read([job_id], settings))
    assert record is not None
    return record.status


def good(job: ClaimedJob) -> Outcome:
    return Outcome(id=job.id, attempt=job.attempt, result=b"{}", header_length=2)


def test_a_job_lives_from_submit_to_result(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    assert queue.run(submit(job, settings)).created
    [claimed] = take(queue, settings)
    assert (claimed.id, claimed.attempt, claimed.header_length) == (job.id, 1, 13)
    assert queue.values([claimed.payload_key]) == [job.payload]
    assert end(queue, settings, "w1", good(claimed)) == {job.id}

    stored = queue.run(result(job.id, settings))
    [record] = queue.run(read([job.id], settings))
    assert stored is not None
    assert stored.body == b"{}"
    assert record is not None
    assert [c.status for c in record.history] == ["queued", "running", "succeeded"]
    assert record.finished_at_ms is not None
    assert queue.values([claimed.payload_key]) == [None], "the payload ends with the job"
    assert 0 < queue.redis.ttl(Keys("wherry").job(job.id)) <= 100


@pytest.mark.parametrize("size", [10, 70_000, 300_000])
def test_payloads_of_any_size_arrive_whole(
    queue: Queue, settings: JobsSettings, new_job: Make, size: int
) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    queue.run(submit(new_job(payload=payload), settings))
    [claimed] = take(queue, settings)
    assert queue.values([claimed.payload_key]) == [payload]
    assert queue.redis.ttl(claimed.payload_key) == -1, "a payload sent ahead must not expire"


def test_the_same_submission_again_is_the_same_job(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    assert queue.run(submit(job, settings)).created
    again = queue.run(submit(job, settings))
    assert (again.id, again.created) == (job.id, False)
    assert len(take(queue, settings)) == 1


def test_a_known_id_with_another_body_is_a_conflict(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    queue.run(submit(job, settings))
    with pytest.raises(errors.Conflict):
        queue.run(submit(new_job(id=job.id, payload=b"x" * 70_000, fingerprint="f1"), settings))
    [claimed] = take(queue, settings)
    assert queue.values([claimed.payload_key]) == [job.payload]


def test_an_idempotency_key_stands_for_one_job(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    first = new_job(idempotency_key="order 7")
    queue.run(submit(first, settings))
    assert queue.run(submit(new_job(idempotency_key="order 7"), settings)).id == first.id


def test_a_full_queue_refuses(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    tight = settings.model_copy(update={"max_waiting": 2})
    queue.run(submit(new_job(), tight))
    queue.run(submit(new_job(), tight))
    with pytest.raises(errors.QueueFull):
        queue.run(submit(new_job(), tight))
    assert len(take(queue, tight)) == 2
    assert queue.run(submit(new_job(), tight)).created, "a claim makes room"


def test_a_full_memory_refuses_whole_and_still_lets_work_end(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    before = queue.redis.dbsize()
    queue.redis.config_set("maxmemory", 1)
    try:
        for size in (10, 70_000):
            with pytest.raises(errors.QueueFull):
                queue.run(submit(new_job(payload=b"x" * size), settings))
        assert queue.redis.dbsize() == before, "nothing half-written remains"
        [claimed] = take(queue, settings)
        assert end(queue, settings, "w1", good(claimed)) == {claimed.id}
    finally:
        queue.redis.config_set("maxmemory", 0)


def test_an_unloaded_model_takes_no_jobs(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    assert queue.run(set_loaded("digits", settings, loaded=False))
    with pytest.raises(errors.ModelNotReady):
        queue.run(submit(new_job(), settings))
    queue.run(set_loaded("digits", settings, loaded=True))
    assert queue.run(submit(new_job(), settings)).created


def test_a_batch_ends_at_its_rows_and_its_bytes(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    for rows in (3, 3, 3, 50):
        queue.run(submit(new_job(rows=rows), settings))
    assert [job.rows for job in take(queue, settings, max_rows=8)] == [3, 3]
    assert [job.rows for job in take(queue, settings, max_rows=8)] == [3]
    assert [job.rows for job in take(queue, settings, max_rows=8)] == [50], "never none at all"
    for _ in range(3):
        queue.run(submit(new_job(payload=b"x" * 100), settings))
    assert len(take(queue, settings, max_bytes=250)) == 2


def test_a_small_batch_waits_for_company_up_to_its_delay(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    budgets = {GROUP.model_id: BatchBudget(preferred_rows=4, max_delay_ms=60_000)}
    waits = queue.run(claim(GROUP, "w1", budgets, settings))
    assert not waits.jobs
    assert 0 < waits.wait_ms <= 60_000
    for _ in range(3):
        queue.run(submit(new_job(), settings))
    assert len(take(queue, settings, preferred_rows=4, max_delay_ms=60_000)) == 4


def test_a_late_finisher_is_dropped(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    queue.run(submit(new_job(), settings))
    [first] = take(queue, settings, "frozen")
    queue.run(reap("frozen", settings))
    [second] = take(queue, settings, "other")
    assert end(queue, settings, "frozen", good(first)) == frozenset()
    assert end(queue, settings, "other", good(second)) == {second.id}
    assert end(queue, settings, "other", good(second)) == frozenset(), "one visible result"
    assert queue.run(view(settings)).totals["late"] == 2


def test_a_live_worker_is_not_reaped(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    queue.run(submit(new_job(), settings))
    queue.run(heartbeat("w1", {}, settings))
    [job] = take(queue, settings)
    assert queue.run(reap("w1", settings)).requeued == 0
    assert end(queue, settings, "w1", good(job)) == {job.id}


def test_jobs_of_a_crash_come_back_first_and_alone(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    for _ in range(5):
        queue.run(submit(new_job(), settings))
    aboard = {job.id for job in take(queue, settings, "dead", max_rows=3)}
    reaped = queue.run(reap("dead", settings))
    assert (reaped.requeued, reaped.groups) == (3, (GROUP,))
    alone = [take(queue, settings) for _ in range(3)]
    assert [len(batch) for batch in alone] == [1, 1, 1]
    assert {batch[0].id for batch in alone} == aboard
    assert {batch[0].attempt for batch in alone} == {2}
    assert len(take(queue, settings)) == 2, "the innocent share a batch again"


def test_a_job_that_kills_its_workers_becomes_a_dead_letter_and_can_be_replayed(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    queue.run(submit(job, settings))
    for attempt in (1, 2, 3):
        [claimed] = take(queue, settings, "dead")
        assert claimed.attempt == attempt
        queue.run(reap("dead", settings))
    [record] = queue.run(read([job.id], settings))
    assert record is not None
    assert (record.status, record.error_type) == (JobState.FAILED, "worker_lost")

    queue.run(requeue(job.id, GROUP, settings))
    [claimed] = take(queue, settings)
    assert queue.values([claimed.payload_key]) == [job.payload]
    assert end(queue, settings, "w1", good(claimed)) == {job.id}
    with pytest.raises(errors.Conflict):
        queue.run(requeue(job.id, GROUP, settings))
    with pytest.raises(errors.JobNotFound):
        queue.run(requeue("nobody", GROUP, settings))


def test_a_waiting_job_is_canceled_at_once(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    first, second = new_job(), new_job()
    queue.run(submit(first, settings))
    queue.run(submit(second, settings))
    queue.run(cancel(first.id, settings))
    assert status(queue, settings, first.id) is JobState.CANCELED
    assert [job.id for job in take(queue, settings)] == [second.id]
    with pytest.raises(errors.JobNotFound):
        queue.run(cancel("nobody", settings))


def test_a_running_job_is_canceled_at_its_end(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    job = new_job()
    queue.run(submit(job, settings))
    [claimed] = take(queue, settings)
    queue.run(cancel(job.id, settings))
    assert status(queue, settings, job.id) is JobState.RUNNING
    end(queue, settings, "w1", good(claimed))
    assert status(queue, settings, job.id) is JobState.CANCELED
    assert queue.run(result(job.id, settings)) is None
    totals = queue.run(view(settings)).totals
    assert (totals["canceled"], totals["failed"]) == (1, 0)


def test_a_finished_job_cannot_be_canceled(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    queue.run(submit(new_job(), settings))
    [job] = take(queue, settings)
    end(queue, settings, "w1", good(job))
    queue.run(cancel(job.id, settings))
    assert status(queue, settings, job.id) is JobState.SUCCEEDED


@pytest.mark.parametrize("by", ["claim", "sweep"])
def test_a_job_past_its_deadline_is_expired_and_never_run(
    queue: Queue, settings: JobsSettings, new_job: Make, by: str
) -> None:
    job = new_job(start_by_ms=int(time.time() * 1000) - 1)
    queue.run(submit(job, settings))
    if by == "sweep":
        queue.run(sweep(settings))
    assert take(queue, settings) == ()
    assert status(queue, settings, job.id) is JobState.EXPIRED
    totals = queue.run(view(settings)).totals
    assert totals["waiting"] == 0


def test_released_jobs_keep_their_order_and_their_attempts(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    ids = [queue.run(submit(new_job(), settings)).id for _ in range(4)]
    batch = take(queue, settings, max_rows=3)
    queue.redis.delete(GROUP.queue_key)
    assert queue.run(release(GROUP, "w1", batch, settings)) == 3
    assert queue.run(release(GROUP, "w1", batch, settings)) == 0
    again = take(queue, settings, "w2")
    assert [job.id for job in again] == ids
    assert {job.attempt for job in again} == {1}


def test_a_job_that_was_canceled_meanwhile_does_not_go_back(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    ids = [queue.run(submit(new_job(), settings)).id for _ in range(2)]
    batch = take(queue, settings)
    assert queue.run(cancel(ids[0], settings)) == "running"
    assert queue.run(release(GROUP, "w1", batch, settings)) == 1
    assert status(queue, settings, ids[0]) is JobState.CANCELED
    assert status(queue, settings, ids[1]) is JobState.QUEUED
    totals = queue.run(view(settings)).totals
    assert (totals["running"], totals["waiting"], totals["canceled"]) == (0, 1, 1)
    assert [job.id for job in take(queue, settings, "w2")] == ids[1:]


def test_the_position_counts_the_jobs_ahead(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    ids = [queue.run(submit(new_job(), settings)).id for _ in range(3)]
    take(queue, settings, max_rows=1)
    records = queue.run(read([*ids, "nobody"], settings))
    assert [r.queue_position if r else "unknown" for r in records] == [None, 0, 1, "unknown"]


def test_jobs_are_listed_newest_first_by_page_and_by_status(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    ids = [queue.run(submit(new_job(), settings)).id for _ in range(5)]
    queue.run(cancel(ids[1], settings))
    first, after, *_ = queue.run(list_jobs(settings, limit=2))
    second, after, *_ = queue.run(list_jobs(settings, limit=2, after=after))
    third, end_, *_ = queue.run(list_jobs(settings, limit=2, after=after))
    assert [*first, *second, *third] == ids[::-1]
    assert end_ == ""
    assert queue.run(list_jobs(settings, Wanted(status="canceled"))).ids == [ids[1]]
    assert queue.run(list_jobs(settings, Wanted(model="other"))).ids == []


def test_counters_tell_what_ran(queue: Queue, settings: JobsSettings, new_job: Make) -> None:
    for _ in range(3):
        queue.run(submit(new_job(), settings))
    jobs = take(queue, settings)
    bad = Outcome(id=jobs[2].id, attempt=1, error_type="invalid_row", error="no image")
    end(queue, settings, "w1", good(jobs[0]), good(jobs[1]), bad)
    counted = queue.run(stats("digits", "1", settings))
    assert (counted["success_count"], counted["fail_count"]) == (2, 1)
    assert (counted["inference_count"], counted["execution_count"]) == (3, 1)
    fleet = queue.run(view(settings))
    assert fleet.totals["running"] == 0
    [group] = queue.run(groups(settings))[0].values()
    assert (group.waiting, group.running) == (0, 0)
    assert group.batch_fill == pytest.approx(3 / 32, abs=1e-4)
    assert group.jobs_per_s > 0
