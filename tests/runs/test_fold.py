"""Shards that are put together: what the one has is told of as a whole, or is not there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.formats import writer_of
from wherry.client.annotate.ledger import KEY_BYTES, Ledger
from wherry.client.annotate.pieces import write_piece
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.client.annotate.segments import SegmentTaker, rows_of
from wherry.client.annotate.sources.walking import FoundFile
from wherry.client.annotate.stored_answers import pack_answers
from wherry.jobs import JobsSettings
from wherry.jobs.call import Call
from wherry.jobs.run_blobs import pictures_key, quality_key, shard_key, sheet_key
from wherry.jobs.run_follow import LookEnd
from wherry.jobs.run_quality import QUALITY, quality_of_shard
from wherry.jobs.run_records import Shard
from wherry.jobs.run_steps import segments_of
from wherry.jobs.runs import shards_of
from wherry.jobs.stores import FolderStore
from wherry.runs.earlier import beginnings_of
from wherry.runs.fold import Fold, forget
from wherry.runs.hold import StepHold, StepLost
from wherry.runs.shard_files import FILES, packed_files, shard_files
from wherry.runs.sheet import Sheet, SheetRows
from wherry.runs.stored_pieces import put_piece
from wherry.tasks.registry import get_task

from ..jobs.test_run_follow import Following
from ..jobs.test_runs import LEASE_S, NO_LEASE_S
from .test_sheet import picture

TASK = get_task("image-classification")
ORIGIN = Origin(task=TASK, model="m", version="1", parameters={}, source="s")
WRITER = writer_of("jsonl", TASK)
ROWS = 3


class Folded(Following):
    """A run that follows, three shards of which are done and in a store."""

    def __init__(self, settings: JobsSettings, folder: Path) -> None:
        super().__init__(settings)
        self.store, self.folder = FolderStore(folder / "blobs"), folder
        self.look = self.begin()
        assert self.tell(self.look, 3, LookEnd.MORE, LEASE_S)
        self.shards = [self._stored(number) for number in range(3)]
        for shard in self.shards:
            text = shard.model_dump_json(exclude={"moved"})
            self.queue.redis.hset(
                f"{settings.key_prefix}:run:run_1:shards", str(shard.number), text
            )
            key = f"{settings.key_prefix}:run:run_1:segments"
            self.queue.redis.hset(key, str(shard.number), "made")
        self.before = self.blobs

    @property
    def blobs(self) -> set[str]:
        return {blob.key for blob in self.store.blobs("run/run_1/")}

    def _stored(self, number: int) -> Shard:
        first, folder = number * ROWS, self.folder / str(number)
        folder.mkdir()
        example = TASK.example.output.rows()[0]
        with Ledger(folder / "ledger") as ledger, SheetRows(ledger, TASK, 3, folder) as rows:
            ledger.begin(reuse=True)
            taker = SegmentTaker(ledger)
            for at in range(ROWS):
                key = (first + at).to_bytes(KEY_BYTES, "big")
                body = picture(first + at)
                ledger.place(at, f"r{first + at}", f"{first + at}.jpg", key, (600, 300))
                rows.offer(at, SourceRow(f"r{first + at}", {"images": body}), key)
                ledger.keep(pack_answers(TASK, example.response("m"), 1), [key])
            sheet = Sheet(ORIGIN, rows, first)
            piece, findings = write_piece(ledger, ORIGIN, WRITER, folder, first, sheet.add)
            told = quality_of_shard(findings.stretches, findings.reasons)
            for key_name, content in (
                (shard_key("run_1", number, "segment", "made"), taker.segment()),
                (shard_key("run_1", number, "rows", "made"), rows_of(ledger)),
                (shard_key("run_1", number, "keys", "made"), beginnings_of(ledger)),
                (shard_key("run_1", number, FILES, "made"), packed_files(self._files(first))),
                (quality_key("run_1", number, "made", QUALITY), told),
                (sheet_key("run_1", number, "made"), sheet.body),
                (sheet_key("run_1", number, "made") + ".index", sheet.index),
                (pictures_key("run_1", number, "made"), bytes(rows.pictures)),
            ):
                assert content
                self.store.put(key_name, content)
            kept = put_piece(self.store, shard_key("run_1", number, "piece", "made"), piece)
        return Shard(
            number=number,
            part={FILES: "made"},
            planned=ROWS,
            first=first,
            state="done",
            rows=ROWS,
            done=ROWS,
            sheet="made",
            rows_blob="made",
            keys_blob="made",
            piece=kept,
            has_pictures=True,
            told=QUALITY,
        )

    def _files(self, first: int) -> list[FoundFile]:
        return [FoundFile(f"{first + at}.jpg", id=f"{first + at}.jpg") for at in range(ROWS)]

    def fold(self) -> Fold:
        hold = StepHold(self.look, self.queue, self.settings, threading.Event())
        return Fold(hold, self.queue, self.store, self.settings, ORIGIN, WRITER)

    @property
    def segments(self) -> dict[int, list[str]]:
        return self.queue.run(segments_of("run_1", self.settings))


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Folded:
    return Folded(JobsSettings(redis_url=redis_url, key_prefix="apart-fold"), tmp_path)


def test_shards_that_are_put_together_leave_nothing_but_the_one(
    run: Folded, tmp_path: Path
) -> None:
    replaced = run.fold().make_one(run.shards, run.segments, tmp_path)
    [one] = run.queue.run(shards_of("run_1", run.settings))
    assert (one.rows, one.done, one.folds) == (9, 9, 1)
    assert [file.path for file in shard_files(run.store, "run_1", one)] == [
        f"{n}.jpg" for n in range(9)
    ]
    assert run.segments == {0: [one.sheet]}
    assert run.before < run.blobs
    for each in replaced:
        forget(run.store, "run_1", each)
    assert run.blobs, "the one's"
    assert not run.blobs & run.before


def test_whoever_loses_the_look_leaves_nothing_of_what_was_put_together(
    run: Folded, tmp_path: Path
) -> None:
    leases = f"{run.settings.key_prefix}:runs:leases"
    run.queue.redis.zadd(leases, {"run_1 follow": 0})
    assert run.taken("follow", "another", NO_LEASE_S)
    with pytest.raises(StepLost):
        run.fold().make_one(run.shards, run.segments, tmp_path)
    assert run.blobs == run.before
    assert run.queue.run(shards_of("run_1", run.settings)) == run.shards


def test_a_reply_that_is_lost_loses_nothing_of_what_was_put_together(
    run: Folded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection tries it again, and is told that it is done."""
    told = run.queue.run

    def twice(call: Call[Any]) -> Any:
        told(call)
        return told(call)

    monkeypatch.setattr(run.queue, "run", twice)
    run.fold().make_one(run.shards, run.segments, tmp_path)
    monkeypatch.undo()
    [one] = run.queue.run(shards_of("run_1", run.settings))
    assert shard_key("run_1", 0, "rows", one.rows_blob) in run.blobs
    assert shard_key("run_1", 0, "segment", run.segments[0][0]) in run.blobs
