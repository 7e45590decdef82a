"""Answers of earlier runs: which shards are read for a row, how many, and what is copied."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.ledger import Ledger
from wherry.client.annotate.segments import SegmentTaker, take_in
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.run_blobs import shard_key
from wherry.jobs.run_earlier import segments_of_shard
from wherry.jobs.run_records import RunPlan
from wherry.jobs.run_steps import save_step
from wherry.jobs.stores import FolderStore
from wherry.runs import earlier
from wherry.runs.earlier import EarlierAnswers, EarlierIndex, EarlierRuns, EarlierShard

from ..jobs.test_runs import LEASE_S, Runs

#: Rows of a job, and of an earlier shard.
JOB, ROWS = 4, 12


def key_of(row: int) -> bytes:
    return hashlib.sha256(b"%d" % row).digest()[:16]


def keys_of(*rows: int) -> list[bytes]:
    return [key_of(row) for row in rows]


#: A row that fails in shards which have it last.
FAILS = 77


def answered(path: Path, rows: Sequence[int]) -> tuple[bytes, bytes]:
    """A shard's segment and the beginnings of its keys."""
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        taker = SegmentTaker(ledger)
        if rows[-1] == FAILS:
            ledger.fail(key_of(FAILS), "too late", "deadline_exceeded")
            rows = rows[:-1]
        for at in range(0, len(rows), JOB):
            job = rows[at : at + JOB]
            ledger.keep(b" ".join(b"%d" % row for row in job), keys_of(*job))
        return taker.segment(), earlier.beginnings_of(ledger)


class Earlier:
    """An earlier run of so many shards, in Redis and a store."""

    def __init__(self, folder: Path, redis_url: str, shards: Sequence[Sequence[int]]) -> None:
        self.jobs = JobsSettings(redis_url=redis_url, key_prefix="apart")
        self.store, self.queue = FolderStore(folder / "blobs"), Queue(redis_url)
        runs = Runs(self.jobs)
        runs.create()
        assert runs.plan(runs.taken("plan"), len(shards), rows=ROWS)
        for number, rows in enumerate(shards):
            step = runs.taken(f"shard/{number}")
            segment, beginnings = answered(folder / f"made {number}", rows)
            self.store.put(shard_key("run_1", number, "segment", "s"), segment)
            self.store.put(shard_key("run_1", number, "keys", "k"), beginnings)
            assert self.queue.run(save_step(step, LEASE_S, self.jobs, segment="s"))
            assert step.shard is not None
            step.shard.keys_blob = "k"
            assert runs.answer(step, rows=len(rows))
            # What `answer` says that it has stored besides is not there.
            names = f"{self.jobs.key_prefix}:run:run_1:segments"
            self.queue.redis.hset(names, str(number), "s")
        self.runs = EarlierRuns(self.queue, self.store, self.jobs)
        plan = RunPlan(version="1", task="t", format="f", is_folder=False, earlier=["run_1"])
        self.plan, self.folder = plan, folder
        self.read: list[int] = []

    def answers(self, ledger: Ledger) -> EarlierAnswers:
        index = self.runs.index("run_2", self.plan, self.folder, lambda: None)
        assert index is not None
        read = self.runs.segments

        def noted(shard: EarlierShard) -> Iterator[bytes]:
            self.read.append(shard.number)
            return read(shard)

        self.runs.segments = noted  # type: ignore[method-assign] # to count
        return EarlierAnswers(ledger, self.runs, index, self.folder / "held")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.begin(reuse=True)
        yield ledger


def known(ledger: Ledger, *rows: int) -> list[str]:
    """What the ledger answers of rows, "" for nothing."""
    found = []
    ledger.commit()
    for key in keys_of(*rows):
        query = "SELECT block, place FROM parts WHERE key = ?"
        part = ledger.database.execute(query, (key,)).fetchone()
        found.append(ledger.block(part[0]).split()[part[1]].decode() if part else "")
    return found


def test_a_row_is_found_wherever_it_is_and_its_shard_is_read_once(
    tmp_path: Path, redis_url: str, ledger: Ledger
) -> None:
    made = Earlier(tmp_path, redis_url, [range(ROWS), range(ROWS, 2 * ROWS), range(90, 95)])
    answers = made.answers(ledger)
    answers.look(keys_of(13, 14, 500, 13))
    answers.look(keys_of(15, 22, 501))
    assert known(ledger, 13, 14, 15, 22, 500, 12) == ["13", "14", "15", "22", "", ""]
    assert (made.read, answers.found) == ([1], 4)
    answers.look(keys_of(0, 94))
    assert (sorted(made.read), answers.found) == ([0, 1, 2], 6)
    assert ledger.database.execute("SELECT count(*) FROM blocks").fetchone() == (4,)
    answers.close()


def test_a_job_whose_rows_come_in_two_segments_is_in_both(
    tmp_path: Path, redis_url: str, ledger: Ledger
) -> None:
    made = Earlier(tmp_path, redis_url, [range(ROWS)])
    answers, taker = made.answers(ledger), SegmentTaker(ledger)
    for rows in ((0, 1), (2,)):
        answers.look(keys_of(*rows))
        segment = taker.segment()
        taker.kept()
        answers.stored()
        with Ledger(tmp_path / f"other {rows}") as other:
            take_in(other, [segment])
            assert known(other, *rows) == [str(row) for row in rows]
    answers.close()


def test_what_the_ledger_knows_stays_as_it_is(
    tmp_path: Path, redis_url: str, ledger: Ledger
) -> None:
    made = Earlier(tmp_path, redis_url, [range(ROWS)])
    answers = made.answers(ledger)
    ledger.keep(b"mine", keys_of(3))
    ledger.fail(key_of(4), "bad", "invalid_row")
    answers.look(keys_of(3, 4))
    assert (known(ledger, 3, 4), made.read, answers.found) == (["mine", ""], [], 0)
    answers.close()


def test_a_row_that_failed_in_one_run_has_its_answer_of_another(
    tmp_path: Path, redis_url: str, ledger: Ledger
) -> None:
    made = Earlier(tmp_path, redis_url, [[1, 2, FAILS], [FAILS, 3]])
    answers = made.answers(ledger)
    answers.look(keys_of(1, FAILS))
    assert known(ledger, 1, FAILS) == ["1", "77"]
    assert (made.read, answers.found) == ([0, 1], 2)
    answers.close()


def test_what_is_held_is_bounded_and_so_is_what_is_read(
    tmp_path: Path, redis_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are scattered over all earlier shards are computed once that takes less."""
    monkeypatch.setattr(earlier, "_HELD", 2 * ROWS)
    monkeypatch.setattr(earlier, "_READ", 6 * ROWS)
    monkeypatch.setattr(earlier, "_READ_A_ROW", 0)
    shards = [range(at, at + ROWS) for at in range(0, 10 * ROWS, ROWS)]
    made = Earlier(tmp_path, redis_url, shards)
    answers = made.answers(ledger)
    for row in range(0, 10 * ROWS, ROWS):
        answers.look(keys_of(row))
        held = answers._held.database.execute("SELECT count(*) FROM parts").fetchone()
        assert held <= (2 * ROWS,)
    assert made.read == [0, 1, 2, 3, 4, 5, 6]
    assert answers.found == 7
    answers.close()


def test_what_is_forgotten_meanwhile_is_missed_by_nobody(
    tmp_path: Path, redis_url: str, ledger: Ledger
) -> None:
    made = Earlier(tmp_path, redis_url, [range(ROWS), range(ROWS, 2 * ROWS)])
    answers = made.answers(ledger)
    made.store.delete(made.store.ref(shard_key("run_1", 0, "segment", "s")))
    answers.look(keys_of(0, 12))
    assert known(ledger, 0, 12) == ["", "12"]
    made.queue.redis.delete("apart:run:run_1:segments")
    assert made.queue.run(segments_of_shard("run_1", 1, made.jobs)) == []
    answers.close()


def test_an_index_of_many_lots_finds_the_same(tmp_path: Path) -> None:
    for lot in (1, 5, 10_000):
        index = EarlierIndex(tmp_path / f"index {lot}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(earlier, "_LOT", lot)
            for number in range(40):
                keys = sorted(keys_of(*range(number * 3, number * 3 + 4)))
                shard = EarlierShard("r", number, len(keys))
                index.add(shard, b"".join(key[:8] for key in keys))
            index.end()
        assert set(index.find(keys_of(7, 300))) == {2}
        assert set(index.find(keys_of(6))) == {1, 2}, "two shards have it"
        assert index.rows == 160
        index.close()


def test_an_index_is_made_once_for_all_shards_of_a_run(tmp_path: Path, redis_url: str) -> None:
    made = Earlier(tmp_path, redis_url, [range(ROWS)])
    found: list[Any] = []

    def ask(run_id: str) -> None:
        found.append(made.runs.index(run_id, made.plan, tmp_path, lambda: None))

    threads = [threading.Thread(target=ask, args=("run_2",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    ask("run_3")
    assert found[-1] is not found[0]
    assert not (tmp_path / "earlier-run_2").exists()
    none = made.plan.model_copy(update={"earlier": []})
    assert made.runs.index("run_4", none, tmp_path, lambda: None) is None
