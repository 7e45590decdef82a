"""Files and batches whose time is over go with their bytes, and no others; orphans of theirs too.

Time is not waited for: records are written with times that lie in the past.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.batches import (
    Batch,
    BatchProgress,
    BatchSpec,
    BatchStatus,
    batch_page,
    create_batch,
    forget_batch,
    get_batch,
    output_file_id,
    output_keys,
    save_batch,
    take_batch,
)
from wherry.jobs.expired import READ_OUT_S, Remover
from wherry.jobs.files import (
    LONGEST_UPLOAD_S,
    File,
    FilePart,
    file_keys,
    file_page,
    forget_file,
    get_file,
    hold_file,
    put_file,
)
from wherry.jobs.orphans import Sweeper
from wherry.jobs.stores import FolderStore
from wherry.protocol.errors import Conflict, StoreUnavailable

NOW = int(time.time())
LONG_AGO, LATELY, LATER = NOW - READ_OUT_S - 60, NOW - 60, NOW + 3600
DAY_S = 86_400


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    # Apart from what an API of the same test session may be running on this server.
    return JobsSettings(redis_url=redis_url, key_prefix="apart")


@pytest.fixture
def queue(settings: JobsSettings) -> Queue:
    return Queue(settings.redis_url)


class Books:
    """Files and batches, as the API writes them."""

    def __init__(self, queue: Queue, store: FolderStore, settings: JobsSettings) -> None:
        self.queue, self.store, self.settings = queue, store, settings
        self.remover = Remover(queue, store, settings)

    def file(self, name: str, expires_at: int | None, tenant: str = "-") -> File:
        keys = file_keys(name)
        parts = [FilePart(self.store.put(f"{keys}/{n}", b"1234"), 4) for n in range(2)]
        file = File(
            id=name,
            filename="a.jsonl",
            purpose="batch",
            created_at=1,
            expires_at=expires_at,
            tenant=tenant,
            parts=tuple(parts),
        )
        return self.queue.run(put_file(file, self.settings))

    def batch(self, name: str, input_file_id: str = "none", tenant: str = "-") -> Batch:
        """One that somebody has taken."""
        asked = BatchSpec(
            id=name,
            endpoint="/v1/embeddings",
            input_file_id=input_file_id,
            completion_window="24h",
            created_at=1,
            expires_at=LATER,
            tenant=tenant,
        )
        assert self.queue.run(create_batch(asked, self.settings))
        batch = self.queue.run(take_batch("me", 60, self.settings))
        assert batch is not None
        return batch

    def hold(self, file: File, batch: Batch) -> File | None:
        return self.queue.run(hold_file(file.id, batch.asked.id, NOW, self.settings))

    def end(self, batch: Batch, kept_s: int = 3600) -> None:
        saved = save_batch(
            batch.asked,
            "me",
            was=batch.status,
            status=BatchStatus.FAILED,
            progress=None,
            lease_s=60,
            kept_s=kept_s,
            settings=self.settings,
        )
        assert self.queue.run(saved) is BatchStatus.FAILED

    def let_end_long_ago(self, batch: Batch) -> None:
        self.queue.redis.zadd("apart:expiring:batch", {batch.asked.id: LONG_AGO * 1000})

    @property
    def blobs(self) -> set[str]:
        return {blob.key for blob in self.store.blobs() if not blob.key.startswith("fleet/")}

    @property
    def keys(self) -> set[str]:
        return {str(key) for key in self.queue.redis.keys("apart:*")}


@pytest.fixture
def books(queue: Queue, settings: JobsSettings, tmp_path: Path) -> Books:
    return Books(queue, FolderStore(tmp_path), settings)


def test_an_expired_file_goes_with_its_bytes_and_no_other_does(books: Books) -> None:
    stay = [books.file("a", None), books.file("b", LATER), books.file("c", LATELY)]
    kept = books.blobs
    books.file("gone", LONG_AGO, tenant="acme")
    found: list[str] = []
    gone = books.remover.remove(found=found.append)
    assert (gone.files, gone.batches, found) == (1, 0, ["gone"])
    assert books.blobs == kept
    page = books.queue.run(file_page("", "", 9, books.settings, newest_first=False))
    assert page == [file.id for file in stay]
    assert not any("acme" in key for key in books.keys)
    assert books.remover.remove().files == 0


def test_removing_survives_a_restart_of_whoever_does_it(books: Books) -> None:
    """What is due stands in Redis, and nowhere else."""
    books.file("gone", LONG_AGO)
    again = Queue(books.settings.redis_url)
    assert Remover(again, books.store, books.settings).remove().files == 1
    assert not books.blobs
    assert not books.keys


def test_a_file_stays_while_a_batch_reads_it(books: Books) -> None:
    file = books.file("input", LATER)
    batches = [books.batch(name, "input") for name in ("batch_1", "batch_2")]
    assert [books.hold(file, batch) for batch in batches] == [file, file]
    books.queue.redis.zadd("apart:expiring:file", {"input": LONG_AGO * 1000})
    for batch in batches:
        assert books.hold(file, batch) == file, "the next owner goes on"
        assert books.remover.remove().files == 0
        with pytest.raises(Conflict, match="a batch reads file 'input'"):
            books.queue.run(forget_file(file, books.settings))
        books.end(batch)
    assert books.remover.remove().files == 1
    assert not books.blobs


def test_one_that_stays_hides_none_behind_it(books: Books) -> None:
    held = books.file("held", LATER)
    books.hold(held, books.batch("batch_1", "held"))
    books.queue.redis.zadd("apart:expiring:file", {"held": 1})
    for number in range(5):
        books.file(f"file-{number}", LONG_AGO)
    assert books.remover.remove().files == 5
    assert len(books.blobs) == 2


def test_a_batch_cannot_begin_on_an_expired_file(books: Books) -> None:
    batch = books.batch("batch_1")
    assert books.hold(books.file("expired", LATELY), batch) is None
    assert books.hold(books.file("deleted", None).model_copy(update={"id": "x"}), batch) is None
    assert not [key for key in books.keys if "readers" in key]


def test_an_ended_batch_goes_when_its_time_is_over(books: Books) -> None:
    running, ended, old = (books.batch(f"batch_{n}", tenant="acme") for n in range(3))
    for batch in (ended, old):
        books.end(batch)
    books.let_end_long_ago(old)
    assert books.remover.remove().batches == 1
    assert books.queue.run(get_batch("batch_2", books.settings)) is None
    for tenant in ("", "acme"):
        page = books.queue.run(batch_page("", 9, books.settings, tenant=tenant))
        assert page == ["batch_1", "batch_0"]
    assert books.queue.run(get_batch("batch_0", books.settings)) == running


def test_only_what_is_due_is_forgotten(books: Books) -> None:
    """Somebody was quicker, and the name stands for another by now."""
    file, batch = books.file("lately", LATELY), books.batch("batch_1")
    assert not books.queue.run(forget_batch(batch.asked, books.settings))
    books.end(batch)
    assert not books.queue.run(forget_batch(batch.asked, books.settings))
    for expired_for_s, gone in ((READ_OUT_S, None), (30, file), (30, None)):
        forget = forget_file(file, books.settings, expired_for_s=expired_for_s)
        assert books.queue.run(forget) == gone


def test_what_is_kept_for_ever_is_never_due(books: Books) -> None:
    books.end(books.batch("batch_1"), kept_s=0)
    books.file("a", None)
    assert not {key for key in books.keys if ":expiring:" in key}


def test_a_dry_run_only_tells(books: Books) -> None:
    books.file("gone", LONG_AGO)
    batch = books.batch("batch_1")
    books.end(batch)
    books.let_end_long_ago(batch)
    before, found = books.keys, list[str]()
    gone = books.remover.remove(dry_run=True, found=found.append)
    assert (gone.files, gone.batches, found) == (1, 1, ["gone", "batch_1"])
    assert (books.keys, len(books.blobs)) == (before, 2)


def test_bytes_that_could_not_be_removed_go_as_orphans(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.file("gone", LONG_AGO)
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "delete", _refuse)
        with pytest.raises(StoreUnavailable):
            books.remover.remove()
    assert books.queue.run(get_file("gone", books.settings)) is None
    assert len(books.blobs) == 2
    _later(monkeypatch)
    assert Sweeper(books.queue, books.store, books.settings).sweep().removed == 2
    assert not books.blobs


def test_the_sweep_knows_what_files_and_batches_want(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.file("a", None)
    stay = books.blobs
    lost = {books.store.put("file/lost/0", b"x"), books.store.put("batch/nothing", b"x")}
    running, ended = books.batch("batch_1"), books.batch("batch_2")
    for batch in (running, ended):
        keys = output_keys(batch.asked.id, "output")
        part = FilePart(books.store.put(f"{keys}/new", b"x"), 1)
        lost.add(books.store.put(f"{keys}/old", b"x"))
        stay.add(part.ref)
        progress = BatchProgress(output=(part,)).model_dump_json()
        books.queue.redis.hset(f"apart:batch:{batch.asked.id}", "progress", progress)
    file = File(
        id=output_file_id("batch_2", "output"),
        filename="x",
        purpose="batch_output",
        created_at=1,
        parts=(part,),
    )
    books.queue.run(put_file(file, books.settings))
    books.end(ended)
    sweeper = Sweeper(books.queue, books.store, books.settings)
    assert sweeper.sweep().removed == 0, "all of it is young"
    _later(monkeypatch)
    assert sweeper.sweep().removed == len(lost)
    assert books.blobs == stay
    books.queue.run(forget_file(file, books.settings))
    assert sweeper.sweep().removed == 1, "the batch has ended: what it says of its parts is past"


def test_a_part_may_be_of_a_file_that_is_still_being_sent(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.settings = books.settings.model_copy(update={"sweep_age_s": 60})
    books.store.put("file/coming/0", b"x")
    _later(monkeypatch, 1.5 * LONGEST_UPLOAD_S)
    assert Sweeper(books.queue, books.store, books.settings).sweep().removed == 0


def _later(monkeypatch: pytest.MonkeyPatch, seconds: float = DAY_S) -> None:
    now = time.time
    monkeypatch.setattr("wherry.jobs.orphans.time.time", lambda: now() + seconds)


def _refuse(*_: object) -> None:
    raise StoreUnavailable("the store is away")
