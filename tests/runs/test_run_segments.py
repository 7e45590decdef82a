"""Answers of a shard on their way to a store that is away now and then: none is lost on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.client.annotate.ledger import Ledger
from wherry.client.annotate.run import Progress
from wherry.client.annotate.segments import take_in
from wherry.jobs import JobsSettings
from wherry.jobs.run_blobs import shard_key
from wherry.jobs.run_steps import segments_of
from wherry.jobs.stores import FolderStore
from wherry.protocol.errors import Unavailable
from wherry.runs.device_meter import DeviceMeter
from wherry.runs.hold import StepHold
from wherry.runs.leftovers import Leftovers
from wherry.runs.segments import Segments
from wherry.runs.served import Served
from wherry.runs.settings import RunSettings

from ..client.annotate.test_segments import answers, key
from ..jobs.test_runs import Runs


class AwayStore(FolderStore):
    """A store that takes nothing while it is away."""

    is_away = False

    def put(self, key: str, data: bytes) -> str:
        if self.is_away:
            raise Unavailable("the store is away")
        return super().put(key, data)


class Forgotten(Leftovers):
    """Notes the jobs that are let go."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def forget(self, job_ids: list[str]) -> None:  # type: ignore[override] # what it is called with
        self.jobs += job_ids


class Shard:
    """A shard whose answers come one by one."""

    def __init__(self, settings: JobsSettings, folder: Path) -> None:
        self.runs = Runs(settings)
        self.runs.planned(1)
        self.draining = threading.Event()
        step = self.runs.taken("shard/0")
        self.hold = StepHold(step, self.runs.queue, settings, self.draining)
        self.store, self.forgotten = AwayStore(folder / "blobs"), Forgotten()
        self.ledger = Ledger(folder / "ledger", scratch=True)
        self.ledger.begin(reuse=True)
        meter = DeviceMeter(Served(self.runs.queue, settings, "m", "1"), 0)
        self.segments = Segments(
            self.hold, self.ledger, self.store, self.forgotten, RunSettings(), meter
        )

    def answer(self, number: int) -> None:
        if number % 2:
            self.ledger.fail(key(number), "no good", "invalid_row")
        else:
            self.ledger.keep(answers(number), [key(number)])
        self.segments.settle([f"job {number}"])

    def known(self, folder: Path) -> set[bytes]:
        """The rows that whoever goes on with it has the end of."""
        names = self.runs.queue.run(segments_of("run_1", self.runs.settings)).get(0, [])
        keys = [shard_key("run_1", 0, "segment", name) for name in names]
        with Ledger(folder / "other") as other:
            take_in(other, (self.store.get(self.store.ref(key)) for key in keys))
            return other.done([key(number) for number in range(10)])


@pytest.fixture
def shard(redis_url: str, tmp_path: Path) -> Iterator[Shard]:
    shard = Shard(JobsSettings(redis_url=redis_url, key_prefix="apart-segments"), tmp_path)
    yield shard
    shard.ledger.close()
    shard.runs.queue.close()


def test_what_a_store_that_was_away_refused_is_stored_later(shard: Shard, tmp_path: Path) -> None:
    shard.store.is_away = True
    for number in (0, 1):
        shard.answer(number)
    with pytest.raises(Unavailable):
        shard.segments.store(Progress())
    assert shard.forgotten.jobs == [], "the server has their answers still"
    shard.answer(2)
    shard.store.is_away = False
    shard.segments.store(Progress())
    assert shard.forgotten.jobs == ["job 0", "job 1", "job 2"]
    assert shard.known(tmp_path) == {key(0), key(1), key(2)}


def test_what_redis_was_not_told_of_is_told_later(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard.draining.set()  # who is to end does not wait for Redis
    shard.answer(0)
    with monkeypatch.context() as away:

        def fails(*_: object) -> None:
            raise Unavailable("Redis is away")

        away.setattr(shard.hold, "_save", fails)
        with pytest.raises(Unavailable):
            shard.segments.store(Progress())
    shard.answer(1)
    shard.segments.store(Progress())
    assert shard.known(tmp_path) == {key(0), key(1)}
