"""Runs in Redis: steps that are leased and fenced, what commands do, limits, ends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.expired import Remover
from wherry.jobs.keys import Keys
from wherry.jobs.run_records import (
    Run,
    RunError,
    RunExport,
    RunOutput,
    RunPlan,
    RunState,
    RunWish,
    Shard,
    ShardCounts,
    Step,
)
from wherry.jobs.run_spec import RunSpec
from wherry.jobs.run_steps import (
    end_run,
    finish_export,
    finish_plan,
    finish_shard,
    look,
    release_step,
    removed,
    removing,
    save_step,
    segments_of,
    take_step,
)
from wherry.jobs.run_workers import lose_worker
from wherry.jobs.runs import (
    FAMILY,
    ask_export,
    command_run,
    create_run,
    forget_run,
    get_run,
    get_runs,
    run_page,
    shards_of,
)
from wherry.jobs.stores import FolderStore
from wherry.jobs.webhooks import take_webhooks
from wherry.protocol.errors import Conflict, NotFound

from ..support.waiting import until

LEASE_S = 60.0
NO_LEASE_S = 0.0
PLAN = RunPlan(version="1", task="embedding", format="jsonl", is_folder=False)


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    # Apart from what an API of the same test session may be running on this server.
    return JobsSettings(redis_url=redis_url, key_prefix="apart")


class Runs:
    """Runs, and a worker or two."""

    def __init__(self, settings: JobsSettings) -> None:
        self.settings, self.queue = settings, Queue(settings.redis_url)

    def spec(self, run_id: str = "run_1", **fields: Any) -> RunSpec:
        given = {"source": "rows.jsonl", "model": "m", "created_at_ms": 1, **fields}
        return RunSpec(id=run_id, **given)

    def create(self, run_id: str = "run_1", **fields: Any) -> RunSpec:
        spec = self.spec(run_id, **fields)
        assert self.queue.run(create_run(spec, self.settings))
        return spec

    def get(self, run_id: str = "run_1") -> Run:
        run = self.queue.run(get_run(run_id, self.settings))
        assert run is not None
        return run

    def state(self, run_id: str = "run_1") -> RunState:
        return self.get(run_id).state

    def take(self, worker: str = "w", lease_s: float = LEASE_S) -> Step | None:
        return self.queue.run(take_step(worker, lease_s, self.settings))

    def taken(self, name: str, worker: str = "w", lease_s: float = LEASE_S) -> Step:
        step = self.take(worker, lease_s)
        assert step is not None
        assert step.name == name
        return step

    def plan(self, step: Step, shards: int = 2, rows: int = 10) -> bool:
        made = [
            Shard(number=n, planned=rows, first=n * rows, part={"at": [], "first": n})
            for n in range(shards)
        ]
        return self.queue.run(finish_plan(step, PLAN, made, self.settings))

    def planned(self, shards: int = 2, **fields: Any) -> RunSpec:
        spec = self.create(**fields)
        assert self.plan(self.taken("plan"), shards)
        return spec

    def save(self, step: Step, segment: str = "", **counts: Any) -> RunWish | None:
        told = ShardCounts(**counts) if counts else None
        return self.queue.run(save_step(step, LEASE_S, self.settings, counts=told, segment=segment))

    def answer(self, step: Step, rows: int = 10, failed: int = 0) -> bool:
        assert step.shard is not None
        done = step.shard.model_copy(
            update={"rows": rows, "read": rows, "done": rows - failed, "failed": failed}
        )
        return self.queue.run(
            finish_shard(
                step,
                done,
                self.settings,
                segment="last",
                labels={"cat": rows},
                scores=[0, rows],
                error_types={"invalid_row": failed} if failed else {},
            )
        )

    def end(self, step: Step, state: RunState = RunState.SUCCEEDED, **fields: Any) -> bool:
        return self.queue.run(end_run(step, state, self.settings, **fields))

    def command(self, command: str) -> RunState | None:
        return self.queue.run(command_run("run_1", command, self.settings))

    def succeeded(self, **fields: Any) -> RunSpec:
        spec = self.planned(1, **fields)
        assert self.answer(self.taken("shard/0"))
        assert self.end(self.taken("merge"), output=RunOutput(files=1, bytes=3, key="k"))
        return spec

    def all_keys(self) -> Any:
        found: Any = self.queue.redis.keys(f"{self.settings.key_prefix}:*")
        return found


@pytest.fixture
def runs(settings: JobsSettings) -> Runs:
    return Runs(settings)


def test_a_run_is_made_once_and_another_of_its_id_is_refused(runs: Runs) -> None:
    spec = runs.create()
    later = spec.model_copy(update={"created_at_ms": 2})
    assert not runs.queue.run(create_run(later, runs.settings)), "the same, asked for again"
    with pytest.raises(Conflict):
        runs.queue.run(create_run(runs.spec(model="other"), runs.settings))
    assert runs.get().spec == spec
    assert runs.queue.run(get_runs(["run_1", "run_none"], runs.settings))[1] is None
    assert runs.queue.redis.llen(FAMILY) == 1, "a ticket is on its way"


def test_a_run_goes_through_its_steps_to_its_output(runs: Runs) -> None:
    runs.planned(2)
    assert (runs.state(), runs.get().progress.rows_total) == (RunState.RUNNING, 20)
    first, second = runs.taken("shard/0"), runs.taken("shard/1", "v")
    assert runs.take() is None, "there is nothing else to do"
    assert runs.get().progress.shards_running == 2
    assert runs.answer(second, failed=1)
    assert runs.state() is RunState.RUNNING
    assert runs.answer(first)
    assert runs.state() is RunState.MERGING
    merge = runs.taken("merge")
    assert merge.plan == PLAN
    assert runs.queue.run(segments_of("run_1", runs.settings)) == {0: ["last"], 1: ["last"]}
    assert runs.end(merge, output=RunOutput(files=1, bytes=3, key="k"), notes=["so"])
    run = runs.get()
    assert (run.state, run.progress.done, run.progress.failed) == (RunState.SUCCEEDED, 19, 1)
    assert run.progress.labels == {"cat": 20}
    assert run.progress.scores[1] == 20
    assert run.progress.error_types == {"invalid_row": 1}
    assert run.progress.output == RunOutput(files=1, bytes=3, key="k")
    assert run.progress.notes == ["so"]
    assert runs.take() is None


def test_who_lost_a_step_saves_nothing(runs: Runs) -> None:
    runs.planned(1)
    late = runs.taken("shard/0", "late", NO_LEASE_S)
    now = runs.taken("shard/0", "now")
    assert late.owner != now.owner
    assert runs.save(late, "000000-1", done=5) is None
    assert not runs.answer(late)
    assert not runs.queue.run(release_step(late, runs.settings))
    assert not runs.end(late, RunState.FAILED)
    assert runs.queue.run(segments_of("run_1", runs.settings)) == {}
    assert runs.get().progress.done == 0
    assert runs.save(now, "000000-2", done=5) is RunWish.GO
    assert runs.get().progress.done == 5
    assert runs.answer(now)


def test_segments_that_are_named_again_are_listed_once(runs: Runs) -> None:
    """Whoever hears no reply says the same again: a segment counts the rows that were reused."""
    runs.planned(1)
    step = runs.taken("shard/0")
    for _ in range(2):
        assert runs.save(step, "000000-1 000001-1-r5", done=1) is RunWish.GO
    assert runs.save(step, "000001-1-r5 000001-1", done=2) is RunWish.GO
    assert runs.answer(step)
    listed = runs.queue.run(segments_of("run_1", runs.settings))
    assert listed == {0: ["000000-1", "000001-1-r5", "000001-1", "last"]}


def test_the_same_worker_that_comes_again_is_another(runs: Runs) -> None:
    """By its attempt: what its thread of before still sends is not taken for the new one's."""
    runs.planned(1)
    before = runs.taken("shard/0", "w", NO_LEASE_S)
    again = runs.taken("shard/0", "w")
    assert runs.save(before, "x", done=1) is None
    assert runs.save(again, "y", done=1) is RunWish.GO


def test_counts_of_tries_are_not_added_up(runs: Runs) -> None:
    runs.planned(1)
    step = runs.taken("shard/0", "w", NO_LEASE_S)
    runs.queue.run(
        save_step(step, 0, runs.settings, counts=ShardCounts(done=4, in_flight=8, device_ms=7.5))
    )
    again = runs.taken("shard/0")
    assert again.shard is not None
    assert again.shard.device_ms == 7.5, "who goes on, goes on from what was told"
    runs.save(again, done=6, device_ms=9.0)
    progress = runs.get().progress
    assert (progress.done, progress.in_flight, progress.device_seconds) == (6, 0, 0.009)


def test_a_worker_that_is_gone_leaves_its_steps_to_others(runs: Runs) -> None:
    runs.planned(2)
    first = runs.taken("shard/0", "gone")
    runs.taken("shard/1", "goneby")
    assert runs.queue.run(lose_worker("gone", runs.settings)) == 1
    assert runs.taken("shard/0", "other").owner != first.owner
    assert runs.take() is None


def test_a_step_that_is_given_back_waits_as_long_as_was_said(runs: Runs) -> None:
    runs.create()
    step = runs.taken("plan")
    assert runs.queue.run(release_step(step, runs.settings, pause_s=0.3))
    assert runs.take() is None
    again = until(runs.take, lambda step: step is not None)
    assert again is not None
    assert again.name == "plan"


def test_a_step_that_ends_its_workers_ends_the_run(runs: Runs) -> None:
    runs.planned(1)
    while runs.take("w", NO_LEASE_S):
        pass
    run = runs.get()
    assert run.state is RunState.FAILED
    assert run.progress.error is not None
    assert run.progress.error.error_type == "worker_lost"


def test_a_shard_that_comes_on_is_never_given_up(runs: Runs) -> None:
    runs.planned(1)
    for number in range(30):
        step = runs.taken("shard/0", "w", NO_LEASE_S)
        call = save_step(step, NO_LEASE_S, runs.settings, segment=f"{number}")
        assert runs.queue.run(call) is RunWish.GO
    assert runs.state() is RunState.RUNNING


def test_a_paused_run_is_given_to_nobody_until_it_goes_on(runs: Runs) -> None:
    runs.planned(2)
    step = runs.taken("shard/0")
    assert runs.command("pause") is RunState.PAUSED
    assert runs.save(step, "s", done=1) is RunWish.PAUSE
    assert runs.queue.run(release_step(step, runs.settings))
    assert runs.take() is None
    assert runs.command("resume") is RunState.RUNNING
    again = runs.taken("shard/0")
    assert again.segments == ["s"]
    assert runs.answer(again)
    assert runs.answer(runs.taken("shard/1"))
    assert runs.state() is RunState.MERGING


def test_a_step_whose_lease_ran_out_while_paused_waits_too(runs: Runs) -> None:
    runs.planned(1)
    runs.taken("shard/0", "w", NO_LEASE_S)
    runs.command("pause")
    assert runs.take() is None
    runs.command("resume")
    runs.taken("shard/0")


def test_a_shard_that_ends_while_paused_counts(runs: Runs) -> None:
    runs.planned(1)
    step = runs.taken("shard/0")
    runs.command("pause")
    assert runs.answer(step)
    assert runs.state() is RunState.PAUSED
    assert runs.take() is None
    assert runs.command("resume") is RunState.MERGING
    runs.taken("merge")


def test_a_run_is_held_after_its_sample(runs: Runs) -> None:
    runs.planned(3, sample=10)
    step = runs.taken("shard/0")
    assert runs.take() is None, "the rest is not begun"
    assert runs.answer(step)
    assert runs.state() is RunState.HELD
    assert runs.take() is None
    assert runs.command("pause") is RunState.PAUSED
    assert runs.command("resume") is RunState.HELD, "what it was before"
    assert runs.command("resume") is RunState.RUNNING
    for number in (1, 2):
        assert runs.answer(runs.taken(f"shard/{number}"))
    assert runs.state() is RunState.MERGING


def test_a_canceled_run_is_over_for_all_at_once(runs: Runs) -> None:
    runs.planned(2)
    step = runs.taken("shard/0")
    assert runs.command("cancel") is RunState.CANCELED
    assert runs.save(step, "s", done=1) is RunWish.CANCEL
    assert not runs.answer(step)
    assert runs.take() is None
    assert runs.command("resume") is RunState.CANCELED
    assert runs.queue.run(command_run("run_none", "cancel", runs.settings)) is None


def test_a_run_ends_at_its_limits(runs: Runs) -> None:
    runs.planned(1, max_errors=2)
    step = runs.taken("shard/0")
    assert runs.save(step, failed=2) is RunWish.GO
    assert runs.save(step, failed=3) is RunWish.CANCEL
    error = runs.get().progress.error
    assert error == RunError(error_type="too_many_errors", message="3 rows failed, 2 may")


def test_a_run_ends_when_its_device_time_is_spent(runs: Runs) -> None:
    runs.planned(1, max_device_seconds=1.5)
    step = runs.taken("shard/0")
    assert runs.save(step, device_ms=1500.0) is RunWish.GO
    assert runs.save(step, device_ms=1500.5) is RunWish.CANCEL
    error = runs.get().progress.error
    assert error is not None
    assert error.error_type == "too_much_device_time"


def test_a_run_expires_at_its_deadline_whatever_it_is_at(runs: Runs) -> None:
    runs.create(deadline_s=0.01)
    runs.command("pause")
    time.sleep(0.02)
    runs.queue.run(look(runs.settings))
    assert runs.state() is RunState.EXPIRED


def test_runs_take_turns(runs: Runs) -> None:
    runs.create("run_1")
    runs.create("run_2")
    for step in [runs.taken("plan"), runs.taken("plan")]:
        assert runs.plan(step, 4)
    taken = [step.run_id for step in iter(runs.take, None)]
    assert sorted(taken[:4]) == ["run_1", "run_1", "run_2", "run_2"]
    assert len(taken) == 8


def test_rows_of_files_that_are_many_are_counted_on_once_they_are_known(runs: Runs) -> None:
    runs.create()
    shards = [Shard(number=n, first=2 * n, part={"at": [], "units": 2}) for n in range(3)]
    assert runs.queue.run(finish_plan(runs.taken("plan"), PLAN, shards, runs.settings))
    assert runs.get().progress.rows_total is None
    first, second = runs.taken("shard/0"), runs.taken("shard/1")
    assert runs.answer(second, rows=7)
    assert [s.moved for s in runs.queue.run(shards_of("run_1", runs.settings))] == [0, 0, 5]
    assert runs.answer(first, rows=10)
    assert [s.moved for s in runs.queue.run(shards_of("run_1", runs.settings))] == [0, 8, 13]


def test_a_lost_ticket_is_sent_again(runs: Runs) -> None:
    runs.create()
    runs.queue.redis.delete(FAMILY)
    assert runs.queue.run(look(runs.settings)) == 1
    assert runs.queue.redis.llen(FAMILY) == 1
    assert runs.queue.run(look(runs.settings)) == 1
    assert runs.queue.redis.llen(FAMILY) == 1, "one is enough"


def test_a_runs_key_ends_with_it_and_is_told_to_run_workers_alone(runs: Runs) -> None:
    spec = runs.spec()
    made = {"token": "wherry_secret", "key_id": "abc", "key_text": "{}"}
    runs.queue.run(create_run(spec, runs.settings, **made))
    keys = Keys(runs.settings.key_prefix)
    assert runs.queue.redis.hget(keys.api_keys, "abc") == b"{}"
    assert "secret" not in runs.get().model_dump_json()
    assert runs.taken("plan").token == "wherry_secret"
    runs.command("cancel")
    assert not runs.queue.redis.exists(keys.api_keys)
    left: Any = runs.queue.redis.hvals(keys.run("run_1"))
    assert b"secret" not in b"".join(left)


def test_an_end_is_told_to_its_webhook_once(runs: Runs) -> None:
    runs.succeeded(webhook="http://127.0.0.1/hook", tenant="acme")
    [delivery] = runs.queue.run(take_webhooks(10, 60, runs.settings))
    assert (delivery.run_id, delivery.url) == ("run_1", "http://127.0.0.1/hook")
    assert delivery.group.tenant == "acme"
    assert delivery.finished_at_ms == runs.get().progress.ended_at_ms
    assert runs.queue.run(take_webhooks(10, 60, runs.settings)) == []


def test_an_export_is_asked_for_once_and_again_when_it_failed(runs: Runs) -> None:
    runs.planned(1)
    with pytest.raises(NotFound):
        runs.queue.run(ask_export("run_1", "csv", runs.settings))
    runs.answer(runs.taken("shard/0"))
    runs.end(runs.taken("merge"))
    for _ in range(2):
        assert runs.queue.run(ask_export("run_1", "csv", runs.settings)).state == "making"
    step = runs.taken("export/csv")
    assert runs.take() is None
    assert runs.save(step) is RunWish.GO
    failed = RunExport(state="failed", error=RunError(error_type="x", message="y"))
    assert runs.queue.run(finish_export(step, failed, runs.settings))
    assert runs.get().progress.exports["csv"] == failed
    assert runs.queue.run(ask_export("run_1", "csv", runs.settings)).state == "making"
    done = RunExport(state="done", output=RunOutput(files=1))
    assert runs.queue.run(finish_export(runs.taken("export/csv"), done, runs.settings))
    assert runs.queue.run(ask_export("run_1", "csv", runs.settings)) == done


def test_a_forgotten_run_leaves_nothing(runs: Runs) -> None:
    spec = runs.planned(2, tenant="acme", webhook="http://127.0.0.1/", deadline_s=1000, kept_s=9)
    with pytest.raises(Conflict):
        runs.queue.run(forget_run(spec, runs.settings))
    runs.save(runs.taken("shard/0"), "s", done=1)
    runs.command("cancel")
    assert runs.queue.run(run_page("", 9, runs.settings, tenant="acme")) == ["run_1"]
    assert runs.queue.run(shards_of("run_1", runs.settings))
    assert runs.queue.run(forget_run(spec, runs.settings))
    assert not runs.queue.run(forget_run(spec, runs.settings)), "once"
    assert runs.queue.run(run_page("", 9, runs.settings)) == []
    assert [run_id for run_id, _ in runs.queue.run(removing(runs.settings))] == ["run_1"]
    runs.queue.run(removed("run_1", runs.settings))
    assert runs.queue.run(take_webhooks(9, 9, runs.settings)) == [], "there is nothing to tell"
    left = [key for key in runs.all_keys() if not key.endswith(b":totals")]
    assert left == []


def test_an_id_is_free_once_its_forgotten_run_has_left_the_store(runs: Runs) -> None:
    """Until then run workers remove what the store has under it, a new run's answers too."""
    spec = runs.create()
    runs.command("cancel")
    runs.queue.run(forget_run(spec, runs.settings))
    with pytest.raises(Conflict, match="was forgotten"):
        runs.queue.run(create_run(spec, runs.settings))
    assert runs.queue.run(get_run(spec.id, runs.settings)) is None
    runs.queue.run(removed(spec.id, runs.settings))
    assert runs.queue.run(create_run(spec, runs.settings))


def test_an_ended_run_goes_when_its_time_is_over(runs: Runs, tmp_path: Any) -> None:
    runs.succeeded(kept_s=1)
    remover = Remover(runs.queue, FolderStore(tmp_path), runs.settings)
    assert remover.remove().runs == 0
    expiring = Keys(runs.settings.key_prefix).expiring("run")
    runs.queue.redis.zadd(expiring, {"run_1": 1})
    assert remover.remove().runs == 1
    assert runs.queue.run(get_run("run_1", runs.settings)) is None


def test_an_export_has_a_key_until_the_last_one_has_ended(runs: Runs) -> None:
    runs.succeeded()
    keys, redis = Keys(runs.settings.key_prefix).api_keys, runs.queue.redis
    for name in ("csv", "parquet"):
        made = {"token": f"wherry_{name}", "key_id": name, "key_text": "{}"}
        runs.queue.run(ask_export("run_1", name, runs.settings, **made))
    assert redis.hkeys(keys) == [b"csv"], "one is enough"
    first, second = (runs.taken(f"export/{name}") for name in ("csv", "parquet"))
    assert first.token == second.token == "wherry_csv"
    runs.queue.run(finish_export(first, RunExport(state="done"), runs.settings))
    assert redis.hkeys(keys) == [b"csv"]
    runs.queue.run(finish_export(second, RunExport(state="done"), runs.settings))
    assert redis.hkeys(keys) == []


def test_an_export_that_breaks_off_again_and_again_fails(runs: Runs) -> None:
    runs.succeeded()
    runs.queue.run(ask_export("run_1", "csv", runs.settings))
    for _ in range(9):
        assert runs.queue.run(release_step(runs.taken("export/csv"), runs.settings, fault=True))
    assert runs.queue.run(take_step("w", LEASE_S, runs.settings)) is None
    run = runs.get()
    assert (run.state, run.progress.exports["csv"].state) == ("succeeded", "failed")
    assert run.progress.exports["csv"].error == RunError(
        error_type="internal_error", message="internal error"
    )
    runs.queue.run(ask_export("run_1", "csv", runs.settings))
    for _ in range(9):
        assert runs.queue.run(take_step("lost", NO_LEASE_S, runs.settings))
    assert runs.queue.run(take_step("w", LEASE_S, runs.settings)) is None
    error = runs.get().progress.exports["csv"].error
    assert error is not None
    assert error.error_type == "worker_lost"
