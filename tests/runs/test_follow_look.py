"""Looks at a source that changes as it likes, by workers that die: each version is a row, once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from wherry.client.annotate.sources.base import Columns
from wherry.client.annotate.sources.files import FileStore, FileVersion, FolderEntry
from wherry.client.annotate.sources.local_files import LocalFiles
from wherry.client.annotate.sources.watched import WatchedFolder
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.follow_records import RunFollow
from wherry.jobs.run_follow import begin_following, finish_run
from wherry.jobs.run_records import Run, RunPlan, RunState
from wherry.jobs.run_spec import RunSpec
from wherry.jobs.run_steps import take_step
from wherry.jobs.runs import create_run, get_run, shards_of
from wherry.jobs.stores import FolderStore
from wherry.runs.follow import SourceLook
from wherry.runs.hold import StepHold, StepLost
from wherry.runs.settings import RunSettings
from wherry.runs.shard_files import shard_files
from wherry.tasks.registry import get_task

PLAN = RunPlan(version="1", task="image-classification", format="jsonl", is_folder=False)
ROOT = "bucket/in"


class Bucket(FileStore):
    """Objects by their keys; what behind which key was listed is noted."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []

    def is_file(self, path: str) -> bool:
        raise AssertionError("no look asks for one object")

    def is_folder(self, path: str) -> bool:
        return path == ROOT

    def open(self, path: str) -> BinaryIO:
        raise AssertionError("no look reads an object")

    def read(self, path: str) -> bytes:
        raise AssertionError("no look reads an object")

    def entries(self, folder: str) -> Iterator[FolderEntry]:
        raise AssertionError("keys are flat")

    def join(self, folder: str, path: str) -> str:
        return f"{folder}/{path}"

    def versions(self, folder: str, after: str = "") -> Iterator[tuple[str, FileVersion]]:
        assert folder == ROOT
        return self._listed(after)

    def _listed(self, after: str) -> Iterator[tuple[str, FileVersion]]:
        self.asked.append(after)
        for key, tag in sorted(self.tags.items()):
            if key > after:
                yield key, FileVersion(tag)


class Watcher:
    """A run that follows a bucket, and who looks at it."""

    def __init__(self, settings: JobsSettings, folder: Path, **asked: object) -> None:
        self.jobs, self.queue = settings, Queue(settings.redis_url)
        self.store, self.folder, self.bucket = FolderStore(folder / "blobs"), folder, Bucket()
        self.files: FileStore = self.bucket
        self.root = ROOT
        spec = RunSpec(
            id="run_1", source=f"s3://{ROOT}", model="m", created_at_ms=1, follow=True, **asked
        )
        assert self.queue.run(create_run(spec, settings))
        step = self.queue.run(take_step("w", 60, settings))
        assert step is not None
        assert self.queue.run(begin_following(step, PLAN, RunFollow(since_ms=1), settings))

    def look(
        self, worker: str = "w", *, whole: bool = True, dies: bool = False, settle_s: float = 2.0
    ) -> None:
        """A look at all of it or at its end; one that dies stores all, and tells nothing."""
        self.alter(whole_at_ms=0 if whole else time.time_ns() // 1_000_000, whole_s=1000.0)
        run_key = f"{self.jobs.key_prefix}:runs:leases"
        self.queue.redis.zadd(run_key, {"run_1 follow": 0}, xx=True)  # it is due
        step = self.queue.run(take_step(worker, 60, self.jobs))
        assert step is not None
        assert step.name == "follow"
        hold = StepHold(step, self.queue, self.jobs, threading.Event())
        look = SourceLook(
            hold,
            self.queue,
            self.store,
            self.jobs,
            RunSettings(run_settle_s=settle_s),
            self.folder / worker,
        )
        if dies:
            self.queue.redis.zadd(run_key, {"run_1 follow": 0})
            assert self.queue.run(take_step("another", 0, self.jobs))
            with pytest.raises(StepLost):
                look.run(self.watched(), self.folder)
        else:
            look.run(self.watched(), self.folder)

    def watched(self) -> WatchedFolder:
        return WatchedFolder(get_task(PLAN.task), Columns(), self.files, self.root)

    def alter(self, **known: object) -> None:
        text = self.follow.model_copy(update=known).model_dump_json()
        self.queue.redis.hset(f"{self.jobs.key_prefix}:run:run_1", "follow", text)

    @property
    def run(self) -> Run:
        run = self.queue.run(get_run("run_1", self.jobs))
        assert run is not None
        return run

    @property
    def follow(self) -> RunFollow:
        """Where the looks stand."""
        follow = self.run.progress.follow
        assert follow is not None
        return follow

    @property
    def rows(self) -> list[str]:
        """What the rows are called, in their order."""
        shards = self.queue.run(shards_of("run_1", self.jobs))
        found, first = list[str](), 0
        for number, shard in enumerate(shards):
            assert (shard.number, shard.first) == (number, first)
            files = [file.id for file in shard_files(self.store, "run_1", shard)]
            assert len(files) == shard.planned
            found += files
            first += len(files)
        assert self.run.progress.rows_total == len(found)
        return found


@pytest.fixture
def jobs(redis_url: str) -> JobsSettings:
    return JobsSettings(redis_url=redis_url, key_prefix="apart-look")


def test_each_version_that_is_there_when_all_is_listed_is_a_row_once(
    jobs: JobsSettings, tmp_path: Path
) -> None:
    chance = random.Random(11)
    watcher = Watcher(jobs, tmp_path, shard_rows=5)
    versions: dict[str, int] = {}
    expected: set[str] = set()
    seen: dict[str, str] = {}

    def note() -> None:
        """All of it was listed: what was another before is a row anew."""
        for key, tag in watcher.bucket.tags.items():
            if seen.get(key) != tag:
                seen[key] = tag
                versions[key] = versions.get(key, 0) + 1
                expected.add(key if versions[key] == 1 else f"{key}@{versions[key]}")

    for turn in range(150):
        for _ in range(chance.randrange(4)):
            key = f"{chance.randrange(turn + 30):04}.png"
            if chance.random() < 0.1:
                watcher.bucket.tags.pop(key, None)
            else:
                watcher.bucket.tags[key] = f"{turn}"
        whole = chance.random() < 0.5
        worker = f"w{chance.randrange(3)}"
        if chance.random() < 0.2:
            watcher.look(worker, whole=whole, dies=True)
            continue
        last = watcher.follow.last
        watcher.look(worker, whole=whole)
        if whole:
            note()
        else:
            for key in [key for key in watcher.bucket.tags if key > last]:
                seen[key] = watcher.bucket.tags[key]
                versions[key] = 1
                expected.add(key)
    rows = watcher.rows
    assert len(rows) == len(set(rows)), "none is there twice"
    assert set(rows) == expected


def test_a_short_look_lists_what_is_behind_the_last_key_alone(
    jobs: JobsSettings, tmp_path: Path
) -> None:
    watcher = Watcher(jobs, tmp_path)
    watcher.bucket.tags = {f"{n:03}.png": "1" for n in range(20)} | {"999.txt": "1"}
    watcher.look()
    watcher.bucket.tags |= {"0005.png": "1", "9995.png": "1"}
    watcher.look(whole=False)
    assert watcher.bucket.asked[-1] == "999.txt", "what is no row is passed over, too"
    assert watcher.rows[20:] == ["9995.png"]
    watcher.look()
    assert watcher.rows[21:] == ["0005.png"]


def test_what_waits_is_found_again_wherever_it_lies(jobs: JobsSettings, tmp_path: Path) -> None:
    watcher = Watcher(jobs, tmp_path, part_every_s=3600, shard_rows=3)
    watcher.bucket.tags = {"m.png": "1", "n.png": "1", "o.png": "1"}
    watcher.look()
    assert watcher.rows == ["m.png", "n.png", "o.png"]
    watcher.bucket.tags |= {"a.png": "1", "z.png": "1"}
    watcher.look()
    assert watcher.follow.waiting == 2
    watcher.look(whole=False)
    assert len(watcher.rows) == 3
    watcher.alter(waiting_since_ms=1)
    watcher.look(whole=False)  # what is at the end has waited long enough
    watcher.alter(waiting_since_ms=1)
    watcher.look()
    assert sorted(watcher.rows[3:]) == ["a.png", "z.png"]
    assert watcher.follow.waiting == 0


def test_the_last_look_lists_all_of_it(jobs: JobsSettings, tmp_path: Path) -> None:
    watcher = Watcher(jobs, tmp_path, part_every_s=3600)
    watcher.bucket.tags = {"m.png": "1"}
    watcher.look()
    watcher.bucket.tags["a.png"] = "1"
    watcher.queue.run(finish_run("run_1", jobs))
    watcher.look(whole=False)
    assert watcher.bucket.asked[-1] == ""
    assert watcher.rows == ["a.png", "m.png"]
    assert not watcher.run.progress.following
    assert watcher.run.state is RunState.RUNNING


def test_a_backlog_is_told_in_stretches_and_held_in_memory_never_whole(
    jobs: JobsSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.runs.follow._TOLD", 100)
    watcher = Watcher(jobs, tmp_path, shard_rows=30)
    watcher.bucket.tags = {f"{n:05}.png": "1" for n in range(1000)}
    watcher.look()
    assert watcher.rows == sorted(watcher.bucket.tags)
    watcher.look()
    assert len(watcher.rows) == 1000


def test_a_file_is_taken_once_it_stands_still(jobs: JobsSettings, tmp_path: Path) -> None:
    watcher = Watcher(jobs, tmp_path)
    watcher.files, watcher.root = LocalFiles(), str(tmp_path / "in")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "slow.png").write_bytes(b"half")
    watcher.look(settle_s=3600)
    assert watcher.rows == []
    assert watcher.follow.waiting == 1
    watcher.look(settle_s=0)
    assert watcher.rows == ["slow.png"]
    (tmp_path / "in" / "slow.png").write_bytes(b"more of it")
    watcher.queue.run(finish_run("run_1", jobs))
    watcher.look(settle_s=3600)
    assert watcher.run.progress.following, "the last look waits for what is being written"
    watcher.alter(finishing_since_ms=1)
    watcher.look(settle_s=3600)
    assert not watcher.run.progress.following, "not for ever"
    assert watcher.rows == ["slow.png"]
    told = watcher.run.progress.follow.trouble
    assert told == "files that never stood still were left out: 1"
