"""What Redis counts for metrics: each end once, whoever made it; bounded; told in one look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.finish import finish, release
from wherry.jobs.keys import Keys
from wherry.jobs.metrics import FleetCounts, ModelCounts, fleet_counts, model_counts
from wherry.jobs.record import BatchStats
from wherry.jobs.recover import cancel, reap, sweep

from .fleet import GROUP, HEAVY, Fleet

KEYS = Keys("wherry")


@pytest.fixture
def counts(queue: Queue, settings: JobsSettings) -> Callable[[], ModelCounts]:
    def look(group: Group = GROUP) -> ModelCounts:
        model = (group.model, group.version)
        return queue.run(model_counts([model], settings))[model]

    return look


@pytest.fixture
def whole(queue: Queue, settings: JobsSettings) -> Callable[[], FleetCounts]:
    return lambda: queue.run(fleet_counts(settings))


def test_a_fleet_that_did_nothing_has_zeros(counts: Any, whole: Any) -> None:
    assert counts().succeeded == counts().rows == counts().device_us == 0
    assert counts().ended == counts().took == {}
    assert whole().totals == whole().tenant_device_us == whole().run_totals == {}
    assert whole().webhooks_pending == whole().dead_letters == 0


def test_a_batch_is_counted_by_rows_places_and_time(fleet: Fleet, counts: Any) -> None:
    fleet.add(GROUP, 5)
    fleet.run()
    now = counts()
    assert (now.succeeded, now.rows, now.forwards, now.places) == (5, 5, 1, 8)
    assert now.device_us == 5000
    assert sum(now.took.values()) == 5, "and by how long each took"
    assert now.ended == {}


def test_errors_are_counted_by_type(fleet: Fleet, counts: Any) -> None:
    ids = fleet.add(GROUP, 3)
    claimed = fleet.claim()
    ends = [Outcome(id=ids[0], attempt=1)]
    ends += [Outcome(id=i, attempt=1, error_type="invalid_row", error="no") for i in ids[1:]]
    fleet.queue.run(
        finish("w1", ends, BatchStats(group=GROUP, charges=claimed.charges), fleet.settings)
    )
    assert counts().succeeded == 1
    assert counts().ended == {("failed", "invalid_row"): 2}


def test_ends_outside_of_a_batch_are_counted_too(
    fleet: Fleet, queue: Queue, settings: JobsSettings, counts: Any
) -> None:
    [canceled] = fleet.add(GROUP)
    queue.run(cancel(canceled, settings))
    fleet.add(GROUP, start_by_ms=1)  # seen by a keeper
    queue.run(sweep(settings))
    fleet.add(GROUP, start_by_ms=1)  # seen by a worker
    fleet.claim()
    [running] = fleet.add(GROUP)
    claimed = fleet.claim()
    queue.run(cancel(running, settings))
    [share] = claimed.shares
    queue.run(release(share.group, "w1", share.jobs, settings))
    fleet.add(GROUP, execution_timeout_ms=1)
    fleet.claim()
    time.sleep(0.005)
    queue.run(sweep(settings))
    assert counts().ended == {
        ("canceled", ""): 2,
        ("expired", ""): 2,
        ("failed", "deadline_exceeded"): 1,
    }


def test_a_lost_worker_is_counted_if_it_held_jobs(
    fleet: Fleet, queue: Queue, settings: JobsSettings, counts: Any, whole: Any
) -> None:
    once = settings.model_copy(update={"max_attempts": 1})
    fleet.add(GROUP, 2)
    fleet.claim()
    queue.run(reap("w1", once, gone=True))
    queue.run(reap("w1", once, gone=True))  # it holds none any more
    assert whole().totals["lease_losses"] == 1
    assert whole().totals["dead_lettered"] == whole().dead_letters == 2
    assert counts().ended == {("failed", "worker_lost"): 2}
    fleet.add(GROUP)
    fleet.claim()
    queue.run(reap("w1", settings, gone=True))
    assert whole().totals["lease_losses"] == 2
    assert whole().totals["requeued"] == 1


def test_models_are_told_apart_in_one_look(
    fleet: Fleet, queue: Queue, settings: JobsSettings
) -> None:
    odd = replace(GROUP, model="a b/c", version="2")
    fleet.budgets[odd.model_id] = fleet.budgets[GROUP.model_id]
    fleet.row_us[odd.model] = 10
    for group, n in ((GROUP, 1), (HEAVY, 2), (odd, 3)):
        fleet.add(group, n)
        fleet.run(group)
    names = [(group.model, group.version) for group in (GROUP, HEAVY, odd)]
    found = queue.run(model_counts([*names, ("none", "1")], settings))
    assert [found[name].rows for name in names] == [1, 2, 3]
    assert [sum(found[name].took.values()) for name in names] == [1, 2, 3]
    assert found["none", "1"].rows == 0


def test_tenants_pay_for_their_part_of_a_batch(
    fleet: Fleet, new_job: Callable[..., NewJob], whole: Any
) -> None:
    fleet.add(replace(GROUP, tenant="ann"), 2)
    fleet.add(replace(GROUP, tenant="bob"), 6)
    while (claimed := fleet.claim()).jobs:
        fleet.finish(claimed)
    assert whole().tenant_device_us == {"ann": 2000, "bob": 6000}


def test_ten_thousand_tenants_are_fifty(queue: Queue, settings: JobsSettings, whole: Any) -> None:
    redis: Any = queue.redis
    redis.zadd(KEYS.tenant_device, {f"tenant{n}": n for n in range(12_000)})
    told = whole().tenant_device_us
    assert list(told) == [f"tenant{n}" for n in range(11_999, 11_949, -1)]
    queue.run(sweep(settings))
    assert redis.zcard(KEYS.tenant_device) == 10_000
    assert whole().tenant_device_us == told


def test_memory_and_the_file_of_writes_are_told(whole: Any) -> None:
    now = whole()
    assert now.server.memory_used_bytes > 100_000
    assert now.server.memory_max_bytes >= 0
    assert now.server.aof_enabled is not None
    assert now.server.aof_ok in (True, None)
    assert (now.server.aof_ok is None) == (not now.server.aof_enabled)
