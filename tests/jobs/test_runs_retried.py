"""Runs that ended without an output, let go on from what they have, or exported as they are."""

from __future__ import annotations

import time

import pytest

from wherry.jobs import JobsSettings
from wherry.jobs.keys import Keys
from wherry.jobs.run_earlier import earlier_runs
from wherry.jobs.run_records import RunError, RunExport, RunOutput, RunState, RunWish, Shard
from wherry.jobs.run_retry import retry_run
from wherry.jobs.run_spec import RunSpec
from wherry.jobs.run_steps import finish_export, finish_plan, look, take_step
from wherry.jobs.runs import ask_export, create_run, forget_run
from wherry.protocol.errors import Conflict, NotFound

from .test_runs import LEASE_S, NO_LEASE_S, PLAN, Runs, settings

__all__ = ["settings"]


@pytest.fixture
def runs(settings: JobsSettings) -> Runs:
    return Runs(settings)


def retried(runs: Runs, spec: RunSpec, **key: str) -> bool:
    return runs.queue.run(retry_run(spec, runs.settings, **key))


def test_one_that_failed_at_its_merge_merges_again(runs: Runs) -> None:
    spec = runs.planned(1, out="/data/out.csv")
    assert runs.answer(runs.taken("shard/0"))
    assert runs.end(
        runs.taken("merge"), RunState.FAILED, error=RunError(error_type="e", message="full")
    )
    assert retried(runs, spec)
    assert not retried(runs, spec), "it goes on: once is enough"
    run = runs.get()
    assert (run.state, run.progress.error, run.progress.ended_at_ms) == (
        RunState.MERGING,
        None,
        None,
    )
    with pytest.raises(Conflict, match="writes to"):
        runs.create("run_2", out="/data/out.csv")
    assert runs.end(runs.taken("merge"), output=RunOutput(files=1))
    assert runs.state() is RunState.SUCCEEDED
    assert not retried(runs, spec)


def test_one_that_was_canceled_goes_on_from_its_shards(runs: Runs) -> None:
    spec = runs.planned(3)
    assert runs.answer(runs.taken("shard/0"))
    step = runs.taken("shard/1")
    assert runs.save(step, "s", done=4, in_flight=5) is RunWish.GO
    runs.command("cancel")
    assert retried(runs, spec)
    assert (runs.state(), runs.get().progress.done) == (RunState.RUNNING, 14)
    assert runs.save(step, "late", done=9) is None, "who was at it then is not any more"
    again = runs.taken("shard/1")
    assert again.segments == ["s"]
    assert again.shard is not None
    assert again.shard.retried == 1, "its jobs are others than those that were canceled"
    assert runs.save(again, done=5, in_flight=2) is RunWish.GO
    assert runs.get().progress.in_flight == 2
    assert runs.answer(again)
    assert runs.answer(runs.taken("shard/2"))
    assert runs.state() is RunState.MERGING


def test_one_that_expired_has_its_time_anew(runs: Runs) -> None:
    spec = runs.create(deadline_s=0.2)
    time.sleep(0.25)
    runs.queue.run(look(runs.settings))
    assert runs.state() is RunState.EXPIRED
    assert retried(runs, spec.model_copy(update={"deadline_s": 60.0}))
    runs.queue.run(look(runs.settings))
    assert runs.state() is RunState.QUEUED
    assert runs.plan(runs.taken("plan"))


def test_a_sample_is_still_a_sample(runs: Runs) -> None:
    spec = runs.planned(3, sample=10)
    runs.taken("shard/0")
    runs.command("cancel")
    assert retried(runs, spec)
    assert runs.answer(runs.taken("shard/0"))
    assert runs.state() is RunState.HELD
    runs.command("cancel")
    assert retried(runs, spec)
    assert runs.state() is RunState.HELD
    runs.command("resume")
    runs.taken("shard/1")


def test_one_that_is_past_its_limits_is_not_begun_again(runs: Runs) -> None:
    spec = runs.planned(1, max_errors=1)
    assert runs.save(runs.taken("shard/0"), failed=2) is RunWish.CANCEL
    with pytest.raises(Conflict, match="past max_errors"):
        retried(runs, spec)
    assert runs.state() is RunState.FAILED


def test_another_that_writes_to_its_out_meanwhile_goes_first(runs: Runs) -> None:
    spec = runs.create(out="/data/out.csv")
    runs.command("cancel")
    runs.create("run_2", out="/data/out.csv")
    with pytest.raises(Conflict, match="another run writes"):
        retried(runs, spec)


def test_it_has_a_key_of_its_own_again(runs: Runs) -> None:
    spec = runs.spec()
    made = {"token": "t1", "key_id": "k1", "key_text": "{}"}
    runs.queue.run(create_run(spec, runs.settings, **made))
    runs.command("cancel")
    assert retried(runs, spec, token="t2", key_id="k2", key_text="{}")
    assert runs.queue.redis.hkeys(Keys("apart").api_keys) == [b"k2"]
    assert runs.taken("plan").token == "t2"
    runs.command("cancel")
    assert not runs.queue.redis.exists(Keys("apart").api_keys)


def test_it_is_kept_as_long_as_any_that_goes_on(runs: Runs) -> None:
    spec = runs.create(kept_s=60)
    runs.command("cancel")
    assert retried(runs, spec)
    assert runs.get().progress.expires_at_ms is None
    assert not runs.queue.redis.exists(Keys("apart").expiring("run"))
    assert runs.queue.redis.sismember(Keys("apart").runs_live, "run_1")


def test_one_that_failed_is_exported_once_all_is_answered(runs: Runs) -> None:
    spec = runs.planned(2)
    assert runs.answer(runs.taken("shard/0"))
    runs.command("cancel")
    with pytest.raises(NotFound):
        runs.queue.run(ask_export("run_1", "csv", runs.settings))
    assert retried(runs, spec)
    assert runs.answer(runs.taken("shard/1"))
    assert not runs.get().is_answered, "it has not ended"
    runs.end(runs.taken("merge"), RunState.FAILED, error=RunError(error_type="e", message="full"))
    assert runs.get().is_answered
    assert runs.queue.run(ask_export("run_1", "csv", runs.settings)).state == "making"
    with pytest.raises(Conflict, match="exported"):
        retried(runs, spec)
    step = runs.taken("export/csv")
    assert runs.save(step) is RunWish.GO
    assert runs.queue.run(finish_export(step, RunExport(state="done"), runs.settings))
    assert retried(runs, spec)
    runs.taken("merge")


def test_steps_that_ended_their_workers_have_their_tries_again(runs: Runs) -> None:
    spec = runs.planned(1)
    while runs.take("w", NO_LEASE_S):
        pass
    assert runs.state() is RunState.FAILED
    assert retried(runs, spec)
    runs.queue.run(take_step("w", LEASE_S, runs.settings))
    assert runs.state() is RunState.RUNNING


def test_earlier_runs_are_the_tenants_own_of_the_same_origin(runs: Runs) -> None:
    def ended(run_id: str, origin: str, tenant: str = "acme") -> RunSpec:
        spec = runs.create(run_id, tenant=tenant)
        plan = PLAN.model_copy(update={"origin": origin})
        shard = Shard(number=0, planned=10, part={"at": []})
        call = finish_plan(runs.taken("plan"), plan, [shard], runs.settings)
        assert runs.queue.run(call)
        assert runs.answer(runs.taken("shard/0"))
        assert runs.end(runs.taken("merge"), RunState.FAILED)
        return spec

    first = ended("run_1", "ab")
    time.sleep(0.002)  # runs are told apart by the ms in which they were made
    ended("run_2", "ab")
    ended("run_3", "other")
    ended("run_4", "ab", tenant="-")
    runs.create("run_5", tenant="acme")
    spec = runs.spec("run_6", tenant="acme")

    def found(most: int = 8) -> list[str]:
        return runs.queue.run(earlier_runs(spec, "ab", most, runs.settings))

    assert found() == ["run_2", "run_1"]
    assert found(1) == ["run_2"]
    assert runs.queue.run(forget_run(first, runs.settings))
    assert found() == ["run_2"]


def test_a_run_of_before_is_the_same_when_it_is_asked_for_again() -> None:
    """Its spec had no word of reuse."""
    spec = RunSpec(id="run_1", source="s", model="m", created_at_ms=1)
    assert spec.fingerprint == "e160c8954fc2084024116b0108f2e1bf", "as it was before"
    assert spec.model_copy(update={"reuse": False}).fingerprint != spec.fingerprint
