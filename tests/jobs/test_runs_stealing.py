"""Shards that are left to others: who is far behind is asked, then has it taken away."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from wherry.jobs import JobsSettings
from wherry.jobs.keys import Keys
from wherry.jobs.run_records import RunState, RunWish, ShardCounts, Step
from wherry.jobs.run_stealing import steal_shard, yield_step
from wherry.jobs.run_steps import release_step, save_step, segments_of
from wherry.jobs.run_workers import lose_worker

from .test_runs import LEASE_S, NO_LEASE_S, Runs, settings

__all__ = ["settings"]

#: Seconds to be gained in these tests, and what a row took in shards that are done.
LEAST_S, ROW_MS = 10.0, 100.0


class Shards(Runs):
    """Runs, and what is known of the pace of their shards."""

    def steal(
        self, worker: str = "free", least_s: float = LEAST_S, patience_s: float = 60.0
    ) -> str | None:
        """What is done about it, as `shard/N asked`."""
        found = self.queue.run(steal_shard(worker, least_s, patience_s, self.settings))
        return None if found is None else " ".join(found[1:])

    def paced(self, number: int, **pace: float) -> None:
        """Let a shard that is under way have this pace: seconds ago, rows a second."""
        now, key = time.time() * 1000, Keys(self.settings.key_prefix).run("run_1", "paces")
        found: Any = self.queue.redis.hget(key, str(number))
        told = {"rate": 0.0, "begun": 60.0, "moved": 0.0, "work": 0.0, **pace}
        for name in ("begun", "moved"):
            told[name] = now - told[name] * 1000
        self.queue.redis.hset(key, str(number), json.dumps({**json.loads(found), **told}))

    def of_others(self, row_ms: float = ROW_MS) -> None:
        """Let shards that are done have taken so long."""
        self.queue.redis.hset(Keys(self.settings.key_prefix).run("run_1"), "row_ms", str(row_ms))


@pytest.fixture
def shards(settings: JobsSettings) -> Shards:
    return Shards(settings)


def begun(shards: Shards) -> Step:
    """The first of two shards of 100 rows, which is under way while the other is done."""
    shards.create()
    assert shards.plan(shards.taken("plan"), 2, rows=100)
    first, second = shards.taken("shard/0", "slow"), shards.taken("shard/1", "free")
    assert shards.answer(second, rows=100)
    return first


def test_who_is_far_behind_is_asked_and_leaves_the_shard_to_others(shards: Shards) -> None:
    step = begun(shards)
    shards.save(step, "s", done=20, read=40)
    shards.of_others()
    shards.paced(0, rate=0.5, work=30)
    assert shards.steal() == "shard/0 asked"
    assert shards.steal() is None, "it is given time"
    assert shards.save(step, done=21, read=40) is RunWish.YIELD
    assert shards.queue.run(yield_step(step, shards.settings))
    assert not shards.queue.run(yield_step(step, shards.settings)), "it is no more its own"
    assert shards.take("slow") is None, "it is for others"
    again = shards.taken("shard/0", "free")
    assert again.segments == ["s"]
    assert shards.save(again, done=30) is RunWish.GO
    assert shards.answer(again, rows=100)
    assert shards.state() is RunState.MERGING


def test_who_does_not_hear_has_it_taken_away(shards: Shards) -> None:
    step = begun(shards)
    shards.of_others()
    shards.paced(0, rate=0.5)
    assert shards.steal(patience_s=0) == "shard/0 asked"
    assert shards.steal(patience_s=0) == "shard/0 taken"
    assert shards.save(step, "late", done=90) is None
    assert not shards.answer(step, rows=100)
    assert shards.taken("shard/0", "free").segments == []
    assert shards.queue.run(segments_of("run_1", shards.settings)) == {1: ["last"]}


def test_one_that_keeps_pace_is_left_alone(shards: Shards) -> None:
    begun(shards)
    shards.of_others()
    shards.paced(0, rate=4.0, work=40)  # 15 s to go: elsewhere it would take 10 from its beginning
    assert shards.steal() is None
    shards.paced(0, rate=0.5, work=99.5)
    assert shards.steal() is None, "it is about to be stored"


def test_nobody_is_judged_by_others_before_others_are_known(shards: Shards) -> None:
    begun(shards)
    shards.queue.redis.hdel(Keys("apart").run("run_1"), "row_ms")
    shards.paced(0, rate=0.01)
    assert shards.steal() is None


def test_one_that_stands_still_is_taken_whatever_is_known_of_others(shards: Shards) -> None:
    shards.planned(1)
    shards.taken("shard/0", "slow")
    shards.paced(0, moved=59)
    assert shards.steal() is None
    shards.paced(0, moved=61)
    assert shards.steal() == "shard/0 asked"


def test_one_that_is_being_stored_has_ten_times_as_long(shards: Shards) -> None:
    shards.planned(1)
    step = shards.taken("shard/0", "slow")
    shards.save(step, read=10, done=10, written=10)
    shards.paced(0, moved=599)
    assert shards.steal() is None
    shards.paced(0, moved=601)
    assert shards.steal() == "shard/0 asked"


def test_nothing_is_stolen_while_a_step_waits(shards: Shards) -> None:
    shards.planned(2)
    shards.taken("shard/0", "slow")
    shards.paced(0, moved=61)
    assert shards.steal() is None
    step = shards.taken("shard/1", "other")
    shards.queue.run(release_step(step, shards.settings))
    assert shards.steal() is None
    shards.taken("shard/1", "other", NO_LEASE_S)
    assert shards.steal() is None, "its lease has run out: it waits, too"


def test_nobody_steals_from_itself_nor_what_it_left(shards: Shards) -> None:
    begun(shards)
    shards.paced(0, moved=61)
    assert shards.steal("slow") is None
    assert shards.steal("free", patience_s=0) == "shard/0 asked"
    assert shards.steal("free", patience_s=0) == "shard/0 taken"
    shards.taken("shard/0", "free")
    shards.paced(0, moved=61)
    assert shards.steal("slow") is None
    assert shards.steal("third") == "shard/0 asked"


def test_a_shard_changes_hands_a_few_times_at_most(shards: Shards) -> None:
    begun(shards)
    hands = ["second", "third", "fourth"]
    for worker in hands:
        shards.paced(0, moved=61)
        assert shards.steal(worker, patience_s=0) == "shard/0 asked"
        assert shards.steal(worker, patience_s=0) == "shard/0 taken"
        shards.taken("shard/0", worker)
    shards.paced(0, moved=61)
    assert shards.steal("fifth") is None


def test_a_shard_that_was_left_goes_to_whoever_is_there(shards: Shards) -> None:
    """Where those that it was left for are gone, who left it goes on with it."""
    step = begun(shards)
    assert shards.queue.run(yield_step(step, shards.settings))
    assert shards.take("slow") is None
    left = Keys("apart").run("run_1", "left")
    told: Any = shards.queue.redis.hget(left, "shard/0")
    long_ago = f"{time.time() * 1000 - 11_000:.0f}".encode()
    shards.queue.redis.hset(left, "shard/0", long_ago + told[13:])
    shards.taken("shard/0", "slow")


def test_a_worker_that_is_gone_is_waited_for_by_nobody(shards: Shards) -> None:
    begun(shards)
    assert shards.queue.run(lose_worker("slow", shards.settings)) == 1
    shards.taken("shard/0", "free")


def test_a_paces_measure_is_the_rows_that_come(shards: Shards) -> None:
    shards.planned(1)
    step = shards.taken("shard/0", "slow")
    key = Keys("apart").run("run_1", "paces")

    def pace() -> dict[str, float]:
        found: Any = shards.queue.redis.hget(key, "0")
        told: dict[str, float] = json.loads(found)
        return told

    shards.save(step, read=8, done=4)
    moved = pace()["moved"]
    assert pace()["work"] == 4
    assert 0 < pace()["rate"] < 0.27
    shards.save(step, read=8, done=4)
    assert pace()["moved"] == moved, "it stands still"
    shards.save(step, read=8, done=4, written=2)
    assert pace()["work"] == pytest.approx(14 / 3)
    again = shards.queue.run(release_step(step, shards.settings)) and shards.taken("shard/0")
    assert pace()["work"] == pytest.approx(4 / 3), "all is read anew"
    assert isinstance(again, Step)
    assert shards.answer(again)
    assert not shards.queue.redis.exists(key)
    assert shards.queue.redis.hexists(Keys("apart").run("run_1"), "row_ms")


def test_shards_whose_rows_were_known_tell_no_pace(shards: Shards) -> None:
    shards.planned(1)
    step = shards.taken("shard/0")
    shards.save(step, done=9)
    again = shards.queue.run(release_step(step, shards.settings)) and shards.taken("shard/0")
    assert isinstance(again, Step)
    assert shards.answer(again)
    assert not shards.queue.redis.hexists(Keys("apart").run("run_1"), "row_ms")


def test_what_a_step_waits_for_is_told_since_when(shards: Shards) -> None:
    shards.create()
    step = shards.taken("plan")
    shards.queue.run(release_step(step, shards.settings, waits_for="s3://away: no answer"))
    [first] = shards.get().progress.waits
    assert (first.step, first.reason) == ("plan", "s3://away: no answer")
    step = shards.taken("plan")
    shards.queue.run(release_step(step, shards.settings, waits_for="s3://away: refused"))
    [again] = shards.get().progress.waits
    assert (again.reason, again.since) == ("s3://away: refused", first.since)
    assert shards.plan(shards.taken("plan"))
    assert shards.get().progress.waits == []
    step = shards.taken("shard/0")

    def save(waits_for: str | None = None, **counts: Any) -> list[str]:
        told = ShardCounts(**counts) if counts else None
        call = save_step(step, LEASE_S, shards.settings, counts=told, waits_for=waits_for)
        assert shards.queue.run(call) is RunWish.GO
        return [wait.reason for wait in shards.get().progress.waits]

    assert save("the queue is full") == ["the queue is full"]
    assert save() == ["the queue is full"], "no news"
    assert save("") == []
    assert save("the queue is full") == ["the queue is full"]
    assert save(done=1, read=1) == [], "it comes on"
