"""Runs that follow their source, in Redis: looks are leased and fenced, and end when told."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.jobs import JobsSettings
from wherry.jobs.follow_records import RunFollow
from wherry.jobs.run_follow import LookEnd, begin_following, finish_run, tell_fold, tell_look
from wherry.jobs.run_records import RunExport, RunOutput, RunState, RunWish, Shard, Step
from wherry.jobs.run_retry import retry_run
from wherry.jobs.run_spec import RunSpec
from wherry.jobs.run_steps import end_run, finish_export, release_step, segments_of
from wherry.jobs.runs import ask_export, command_run, shards_of

from ..support.waiting import until
from .test_runs import LEASE_S, NO_LEASE_S, PLAN, Runs


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    # Apart from what an API of the same test session may be running on this server.
    return JobsSettings(redis_url=redis_url, key_prefix="apart-follow")


class Following(Runs):
    """Runs that follow."""

    def begin(self, **fields: Any) -> Step:
        """A run whose first look is taken."""
        self.create(follow=True, **fields)
        step = self.taken("plan")
        follow = RunFollow(since_ms=1)
        assert self.queue.run(begin_following(step, PLAN, follow, self.settings))
        return self.taken("follow")

    def tell(
        self,
        step: Step,
        shards: int = 0,
        end: LookEnd = LookEnd.NEXT,
        wait_s: float = 0,
        **known: Any,
    ) -> bool:
        at = self.get().progress
        made = [
            Shard(number=at.shards_total + n, planned=3, first=(at.rows_total or 0) + 3 * n)
            for n in range(shards)
        ]
        follow = RunFollow(since_ms=1, **known)
        call = tell_look(
            step, follow, made, self.settings, end=end, wait_s=wait_s, is_news=bool(made)
        )
        return self.queue.run(call)

    def taken_soon(self, name: str) -> Step:
        step = until(self.take)
        assert step is not None
        assert step.name == name
        return step

    def finish(self) -> RunState | None:
        return self.queue.run(finish_run("run_1", self.settings))


@pytest.fixture
def runs(settings: JobsSettings) -> Following:
    return Following(settings)


def test_looks_add_shards_until_the_last_one(runs: Following) -> None:
    look = runs.begin()
    assert runs.tell(look, 2, last="b")
    assert runs.get().progress.rows_total == 6
    assert runs.get().progress.follow == RunFollow(since_ms=1, last="b")
    look = runs.taken("follow")  # it is due before what waits
    assert runs.tell(look, wait_s=60)
    assert runs.answer(runs.taken("shard/0"), 3)
    assert runs.answer(runs.taken("shard/1"), 3)
    assert runs.state() is RunState.RUNNING, "all is answered, and more may come"
    assert runs.take() is None, "the next look is in a minute"
    assert runs.finish() is RunState.RUNNING
    look = runs.taken("follow")
    assert runs.get().progress.finishing
    assert runs.tell(look, 1, LookEnd.LAST)
    assert not runs.get().progress.following
    assert runs.answer(runs.taken("shard/2"), 3)
    assert runs.state() is RunState.MERGING
    assert runs.end(runs.taken("merge"))
    assert runs.finish() is RunState.SUCCEEDED


def test_who_lost_a_look_tells_nothing(runs: Following) -> None:
    look = runs.begin()
    assert runs.tell(look, wait_s=0)
    late = runs.taken("follow", "late", NO_LEASE_S)
    now = runs.taken("follow", "now")
    assert not runs.tell(late, 1, last="z")
    assert not runs.queue.run(tell_fold(late, Shard(), "", [0], runs.settings))
    assert runs.get().progress.shards_total == 0
    assert runs.tell(now, 1, LookEnd.MORE, LEASE_S, last="a")
    assert runs.tell(now, 1, LookEnd.MORE, LEASE_S, last="b"), "it is its own still"
    assert [shard.number for shard in runs.queue.run(shards_of("run_1", runs.settings))] == [0, 1]
    assert [shard.first for shard in runs.queue.run(shards_of("run_1", runs.settings))] == [0, 3]


def test_a_run_whose_looks_are_lost_now_and_then_goes_on_for_ever(runs: Following) -> None:
    look = runs.begin()
    for _ in range(20):
        assert runs.tell(look)
        runs.taken("follow", "dies", NO_LEASE_S)
        look = runs.taken("follow", "other")
    assert runs.state() is RunState.RUNNING


def test_a_paused_run_looks_at_nothing_and_finish_lets_it_go_on(runs: Following) -> None:
    look = runs.begin()
    assert runs.command("pause") is RunState.PAUSED
    assert runs.tell(look, 1), "what it had found is taken in"
    assert runs.take() is None
    assert runs.command("resume") is RunState.RUNNING
    taken = [runs.take(), runs.take()]
    assert {step and step.name for step in taken} == {"follow", "shard/0"}
    runs.queue.run(command_run("run_1", "pause", runs.settings))
    assert runs.finish() is RunState.RUNNING
    assert runs.state() is RunState.RUNNING


def test_a_run_that_nothing_came_to_ends_with_an_empty_output(runs: Following) -> None:
    look = runs.begin()
    assert runs.finish() is RunState.RUNNING
    assert runs.tell(look), "this look had begun before: another one follows"
    assert runs.tell(runs.taken_soon("follow"), end=LookEnd.LAST)
    assert runs.state() is RunState.MERGING
    runs.taken("merge")


def test_limits_and_cancel_end_it_as_any_other(runs: Following) -> None:
    look = runs.begin(max_errors=1)
    assert runs.tell(look, 1, wait_s=60)
    assert runs.answer(runs.taken("shard/0"), 3, failed=2)
    assert runs.state() is RunState.FAILED
    assert runs.finish() is RunState.FAILED
    assert runs.take() is None


def test_shards_that_are_put_together_are_one(runs: Following) -> None:
    look = runs.begin()
    assert runs.tell(look, 4, LookEnd.MORE, LEASE_S)
    for number in range(3):
        assert runs.answer(runs.taken(f"shard/{number}"), 3)
    shards = runs.queue.run(shards_of("run_1", runs.settings))
    one = shards[1].model_copy(update={"rows": 6, "planned": 6, "folds": 1})
    assert runs.queue.run(tell_fold(look, one, "both", [1, 2], runs.settings))
    shards = runs.queue.run(shards_of("run_1", runs.settings))
    assert [(shard.number, shard.rows, shard.first) for shard in shards] == [
        (0, 3, 0),
        (1, 6, 3),
        (3, 0, 9),
    ]
    assert runs.queue.run(segments_of("run_1", runs.settings)) == {0: ["last"], 1: ["both"]}
    assert runs.queue.run(tell_fold(look, one, "both", [1, 2], runs.settings)), "it has been told"
    assert runs.queue.run(shards_of("run_1", runs.settings)) == shards
    other = one.model_copy(update={"folds": 2})
    assert not runs.queue.run(tell_fold(look, other, "both", [1, 2], runs.settings)), "once"
    assert runs.answer(runs.taken("shard/3"), 3)
    assert runs.tell(look, end=LookEnd.LAST)
    assert runs.state() is RunState.MERGING, "those that are gone count as done"


def test_a_spec_of_an_earlier_version_is_the_same_run() -> None:
    plain = RunSpec(id="run_1", source="s", model="m", created_at_ms=1)
    assert plain.fingerprint == "e160c8954fc2084024116b0108f2e1bf", (
        "as it was before there were followed runs"
    )
    assert plain.model_copy(update={"follow": True}).fingerprint != plain.fingerprint


def test_an_ended_run_leaves_nothing_of_its_looks(runs: Following) -> None:
    look = runs.begin()
    assert runs.queue.run(end_run(look, RunState.FAILED, runs.settings))
    assert not runs.tell(look, 1)
    assert runs.take() is None


def test_what_a_look_waited_for_is_told_until_one_comes_through(runs: Following) -> None:
    runs.create(follow=True)
    for name in ("plan", "follow"):
        step = runs.taken(name)
        assert runs.queue.run(release_step(step, runs.settings, waits_for="a bucket is away"))
        assert [wait.step for wait in runs.get().progress.waits] == [name]
        step = runs.taken(name)
        if name == "plan":
            call = begin_following(step, PLAN, RunFollow(since_ms=1), runs.settings)
            assert runs.queue.run(call)
        else:
            assert runs.tell(step, 1)
        assert runs.get().progress.waits == []


def test_one_that_was_canceled_follows_on_from_what_it_has(runs: Following) -> None:
    look = runs.begin()
    assert runs.tell(look, 4, LookEnd.MORE, LEASE_S)
    for number in range(2):
        assert runs.answer(runs.taken(f"shard/{number}"), 3)
    shards = runs.queue.run(shards_of("run_1", runs.settings))
    one = shards[0].model_copy(update={"rows": 6, "planned": 6, "folds": 1})
    assert runs.queue.run(tell_fold(look, one, "both", [0, 1], runs.settings))
    assert runs.save(runs.taken("shard/2"), "some", done=1) is RunWish.GO
    runs.command("cancel")
    spec = runs.get().spec
    assert runs.queue.run(retry_run(spec, runs.settings))
    assert not runs.tell(look, 1), "who looked then looks no more"
    run = runs.get()
    assert (run.state, run.progress.following) == (RunState.RUNNING, True)
    again = runs.taken("follow")
    assert runs.taken("shard/2").segments == ["some"]
    assert runs.tell(again, 1, wait_s=LEASE_S)
    assert runs.answer(runs.taken("shard/3"), 3)
    progress = runs.get().progress
    assert (progress.shards_total, progress.shards_done) == (5, 3)


def test_an_export_of_a_run_that_follows_on_is_made_anew(runs: Following) -> None:
    look = runs.begin()
    assert runs.tell(look, 1, LookEnd.MORE, LEASE_S)
    assert runs.answer(runs.taken("shard/0"), 3)
    runs.command("cancel")

    def exported() -> RunExport:
        return runs.queue.run(ask_export("run_1", "csv", runs.settings))

    exported()
    made = RunExport(state="done", output=RunOutput(files=1))
    assert runs.queue.run(finish_export(runs.taken("export/csv"), made, runs.settings))
    assert exported() == made
    assert runs.queue.run(retry_run(runs.get().spec, runs.settings))
    assert runs.tell(runs.taken("follow"), 1, LookEnd.LAST)
    assert runs.answer(runs.taken("shard/1"), 3)
    assert runs.end(runs.taken("merge"), output=RunOutput(files=1))
    assert exported().state == "making", "it has rows more"


@pytest.mark.parametrize("ends", [False, True])
def test_one_that_took_no_more_ends_as_it_would_have(runs: Following, ends: bool) -> None:
    """Its last look was told, or was not yet."""
    look = runs.begin()
    assert runs.tell(look, 1, LookEnd.MORE, LEASE_S)
    runs.finish()
    if ends:
        assert runs.tell(look, end=LookEnd.LAST)
    shard = runs.taken("shard/0")
    runs.command("cancel")
    assert runs.queue.run(retry_run(runs.get().spec, runs.settings))
    assert not runs.answer(shard, 3)
    progress = runs.get().progress
    assert (progress.following, progress.finishing) == (not ends, not ends)
    if not ends:
        assert runs.tell(runs.taken("follow"), end=LookEnd.LAST)
    assert runs.answer(runs.taken("shard/0"), 3)
    assert runs.state() is RunState.MERGING
    assert runs.taken("merge")
