"""Batches and files in Redis: leases, fences, pages."""

from __future__ import annotations

import time

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.batches import (
    BatchProgress,
    BatchSpec,
    BatchStatus,
    batch_page,
    cancel_batch,
    create_batch,
    forget_soon,
    get_batch,
    save_batch,
    take_batch,
)
from wherry.jobs.files import File, FilePart, file_page, forget_file, get_file, put_file

LEASE_S = 0.2


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    # Apart from what an API of the same test session may be running on this server.
    return JobsSettings(redis_url=redis_url, result_ttl_s=100, key_prefix="apart")


@pytest.fixture
def queue(settings: JobsSettings) -> Queue:
    return Queue(settings.redis_url)


def asked(batch_id: str = "batch_1") -> BatchSpec:
    return BatchSpec(
        id=batch_id,
        endpoint="/v1/embeddings",
        input_file_id="file-1",
        completion_window="24h",
        created_at=1,
        expires_at=2,
        metadata={"a": "b"},
    )


def save(
    queue: Queue,
    settings: JobsSettings,
    owner: str,
    was: BatchStatus,
    status: BatchStatus,
    lease_s: float = LEASE_S,
    progress: BatchProgress | None = None,
) -> BatchStatus | None:
    return queue.run(
        save_batch(
            asked(),
            owner,
            was=was,
            status=status,
            progress=progress,
            lease_s=lease_s,
            kept_s=60,
            settings=settings,
        )
    )


V, P, F = BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS, BatchStatus.FINALIZING
DONE, CANCELLING = BatchStatus.COMPLETED, BatchStatus.CANCELLING


def test_a_batch_is_made_once(queue: Queue, settings: JobsSettings) -> None:
    assert queue.run(create_batch(asked(), settings))
    assert not queue.run(create_batch(asked(), settings))
    batch = queue.run(get_batch("batch_1", settings))
    assert batch is not None
    assert (batch.asked, batch.status, batch.cancelling_at) == (asked(), V, None)
    assert queue.run(get_batch("batch_2", settings)) is None


def test_a_lease_keeps_others_away_until_it_runs_out(queue: Queue, settings: JobsSettings) -> None:
    assert queue.run(take_batch("a", LEASE_S, settings)) is None
    queue.run(create_batch(asked(), settings))
    assert queue.run(take_batch("a", LEASE_S, settings)) is not None
    assert queue.run(take_batch("b", LEASE_S, settings)) is None
    time.sleep(LEASE_S * 0.6)
    assert save(queue, settings, "a", V, P) is P
    time.sleep(LEASE_S * 0.6)
    assert queue.run(take_batch("b", LEASE_S, settings)) is None, "it was renewed"
    time.sleep(LEASE_S)
    taken = queue.run(take_batch("b", LEASE_S, settings))
    assert taken is not None
    assert taken.status is P


def test_one_who_lost_the_lease_saves_nothing(queue: Queue, settings: JobsSettings) -> None:
    queue.run(create_batch(asked(), settings))
    queue.run(take_batch("a", 0.001, settings))
    time.sleep(0.01)
    assert queue.run(take_batch("b", LEASE_S, settings)) is not None
    assert save(queue, settings, "b", V, P, progress=BatchProgress(lines=7)) is P
    assert save(queue, settings, "a", V, DONE, progress=BatchProgress(lines=3)) is None
    batch = queue.run(get_batch("batch_1", settings))
    assert batch is not None
    assert (batch.status, batch.progress.lines) == (P, 7)


def test_an_ended_batch_is_taken_by_nobody(queue: Queue, settings: JobsSettings) -> None:
    queue.run(create_batch(asked(), settings))
    queue.run(take_batch("a", LEASE_S, settings))
    save(queue, settings, "a", V, F)
    assert save(queue, settings, "a", F, DONE) is DONE
    time.sleep(LEASE_S * 1.5)
    assert queue.run(take_batch("b", LEASE_S, settings)) is None
    assert queue.run(cancel_batch("batch_1", settings)) is DONE


def test_a_batch_given_back_is_taken_at_once(queue: Queue, settings: JobsSettings) -> None:
    queue.run(create_batch(asked(), settings))
    queue.run(take_batch("a", 60, settings))
    assert save(queue, settings, "a", V, V, lease_s=0) is V
    assert queue.run(take_batch("b", 60, settings)) is not None


def test_a_cancellation_stands_whatever_is_saved(queue: Queue, settings: JobsSettings) -> None:
    queue.run(create_batch(asked(), settings))
    queue.run(take_batch("a", 60, settings))
    save(queue, settings, "a", V, P)
    assert queue.run(cancel_batch("batch_1", settings)) is P
    assert queue.run(cancel_batch("batch_1", settings)) is CANCELLING
    assert save(queue, settings, "a", P, P, progress=BatchProgress(lines=5)) is CANCELLING
    assert save(queue, settings, "a", P, DONE) is CANCELLING
    batch = queue.run(get_batch("batch_1", settings))
    assert batch is not None
    assert batch.progress.lines == 5
    assert batch.cancelling_at
    assert save(queue, settings, "a", CANCELLING, BatchStatus.CANCELLED) is BatchStatus.CANCELLED
    assert queue.run(cancel_batch("batch_2", settings)) is None


def test_a_finalizing_batch_is_not_cancelled(queue: Queue, settings: JobsSettings) -> None:
    queue.run(create_batch(asked(), settings))
    queue.run(take_batch("a", 60, settings))
    save(queue, settings, "a", V, F)
    assert queue.run(cancel_batch("batch_1", settings)) is F
    assert save(queue, settings, "a", F, DONE) is DONE


def test_pages_go_from_the_newest(queue: Queue, settings: JobsSettings) -> None:
    for number in range(4):
        queue.run(create_batch(asked(f"batch_{number}"), settings))
    assert queue.run(batch_page("", 3, settings)) == ["batch_3", "batch_2", "batch_1"]
    assert queue.run(batch_page("batch_1", 3, settings)) == ["batch_0"]
    assert queue.run(batch_page("batch_0", 3, settings)) == []
    assert queue.run(batch_page("batch_9", 3, settings)) is None


def test_files_are_written_read_and_forgotten_once(queue: Queue, settings: JobsSettings) -> None:
    file = File(
        id="file-1",
        filename="a.jsonl",
        purpose="batch",
        created_at=1,
        parts=(FilePart("one", 3), FilePart("two", 4)),
    )
    assert queue.run(put_file(file, settings)) == file
    assert queue.run(put_file(file.model_copy(update={"filename": "b"}), settings)) == file
    assert queue.run(get_file("file-1", settings)) == file
    assert file.bytes == 7
    for purpose, ids in (("", ["file-1"]), ("batch", ["file-1"]), ("batch_output", [])):
        assert queue.run(file_page(purpose, "", 9, settings)) == ids
    assert queue.run(forget_file(file, settings)) == file
    assert queue.run(forget_file(file, settings)) is None
    assert queue.run(get_file("file-1", settings)) is None
    assert queue.run(file_page("", "", 9, settings)) == []


def test_forgetting_soon_makes_no_life_longer(queue: Queue, settings: JobsSettings) -> None:
    queue.redis.hset("apart:job:a", mapping={"finished_at": 1, "result_ref": "blob"})
    queue.redis.hset("apart:job:b", mapping={"finished_at": 1, "result_ref": ""})
    queue.redis.hset("apart:job:runs", "id", "runs")
    queue.redis.expire("apart:job:b", 5)
    assert queue.run(forget_soon(["a", "b", "runs", "none"], 60, settings)) == ["blob"]
    times = [queue.redis.ttl(f"apart:job:{name}") for name in ("a", "b", "runs", "none")]
    assert times == [60, 5, -1, -2]
