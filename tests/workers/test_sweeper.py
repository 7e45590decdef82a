"""The sweep of the blob store as a worker does it: when, what goes, and what it must not end."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.files import File, FilePart, file_keys, get_file, put_file
from wherry.jobs.orphans import Sweeper, payload_key
from wherry.jobs.settings import JobsSettings
from wherry.jobs.stores import Blob, FolderStore
from wherry.protocol.errors import StoreUnavailable
from wherry.workers import threads
from wherry.workers.sweeper import Sweeping

LONG_AGO_S = 30 * 86_400


class Store(FolderStore):
    """A folder that may be away, or fail in a way that nobody thought of."""

    error: Exception | None = None

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        if self.error:
            raise self.error
        return super().blobs(prefix)


class Place:
    """A fleet's store with an orphan, an old file and what is still wanted."""

    def __init__(self, queue: Queue, settings: JobsSettings, folder: Path) -> None:
        self.queue, self.settings, self.folder = queue, settings, folder
        self.store = Store(folder)
        self.sweeper = Sweeper(queue, self.store, settings)
        self.orphan = self._old(payload_key("gone", "f"))
        self.expired = self._file("file-expired", int(time.time()) - LONG_AGO_S)
        self.wanted = self._file("file-wanted", None)

    def _old(self, key: str) -> str:
        ref = self.store.put(key, b"x")
        then = time.time() - LONG_AGO_S
        for path in self.folder.glob("*/*"):
            os.utime(path, (then, then))
        return ref

    def _file(self, file_id: str, expires_at: int | None) -> str:
        ref = self._old(f"{file_keys(file_id)}/0")
        file = File(
            id=file_id,
            filename="f",
            purpose="batch",
            created_at=int(time.time()) - LONG_AGO_S - 1,
            expires_at=expires_at,
            parts=(FilePart(ref, 1),),
        )
        self.queue.run(put_file(file, self.settings))
        return ref

    def stored(self) -> set[str]:
        return {blob.ref for blob in FolderStore(self.folder).blobs() if blob.key[:6] != "fleet/"}

    def sweep(self, may: Callable[[], bool] = lambda: True) -> None:
        """One look of a worker's."""
        Sweeping(self.sweeper, self.settings, may=may)._tick()


@pytest.fixture
def place(redis_url: str, tmp_path: Path) -> Iterator[Place]:
    queue = Queue(redis_url)
    yield Place(queue, JobsSettings(redis_url=redis_url), tmp_path)
    queue.close()


def test_what_has_expired_and_what_nobody_wants_goes_in_one_sweep(place: Place) -> None:
    place.sweep()
    assert not {place.orphan, place.expired} & place.stored()
    assert place.wanted in place.stored()
    assert place.queue.run(get_file("file-expired", place.settings)) is None


def test_it_waits_for_its_period_whichever_worker_looks(place: Place) -> None:
    place.sweep()
    again = place.store.put(payload_key("again", "f"), b"x")
    os.utime(next(place.folder.glob("*/*again*")), (0, 0))
    place.sweep()
    assert again in place.stored()
    place.queue.redis.flushdb()  # as after the period
    place.sweeper.sweep(adopt=True)
    assert again not in place.stored()


def test_a_worker_with_another_store_leaves_it_alone_and_its_turn_to_others(place: Place) -> None:
    before = place.stored()
    place.sweep(may=lambda: False)
    assert place.stored() == before
    place.sweep()
    assert place.orphan not in place.stored()


@pytest.mark.parametrize(
    "error", [StoreUnavailable(), OSError(116, "Stale file handle"), ValueError("an odd record")]
)
def test_a_sweep_that_fails_ends_neither_the_thread_nor_the_worker(
    place: Place,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "die", pytest.fail)
    place.store.error = error
    with caplog.at_level(logging.WARNING):
        place.sweep()
    assert "the blob store is not swept" in caplog.text


@pytest.mark.parametrize(
    ("every_s", "period_s"),
    [pytest.param(3600, 60.0, id="a minute at most"), pytest.param(5, 5, id="a short period")],
)
def test_it_looks_as_often_as_it_must(place: Place, every_s: int, period_s: float) -> None:
    settings = place.settings.model_copy(update={"sweep_every_s": every_s})
    sweeping = Sweeping(place.sweeper, settings)
    assert sweeping._thread._period_s == period_s


def test_one_that_is_off_never_looks(place: Place) -> None:
    settings = place.settings.model_copy(update={"sweep_every_s": 0})
    before = place.stored()
    sweeping = Sweeping(place.sweeper, settings)
    sweeping.start()
    sweeping.stop()
    assert not sweeping._thread.is_alive()
    assert place.stored() == before
