"""How many workers are wanted: the arithmetic alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.demand import Costs, DeviceWork
from wherry.jobs.scaling import (
    FamilyDemand,
    Lane,
    Policy,
    ScalingMemory,
    ScalingPlan,
    plan,
    recall,
    remember,
)

POLICY = Policy(target_wait_s=20, bulk_target_wait_s=1000, start_s=0, down_after_s=100)
START_S = 1_000_000.0


def lane(seconds: float, jobs: int = 100, oldest_s: float = 0.0) -> Lane:
    """Jobs that wait, of so many seconds together."""
    return Lane(waiting=jobs, waits=DeviceWork(seconds, seconds, jobs), oldest_s=oldest_s)


def runs(seconds: float, jobs: int = 1) -> Lane:
    return Lane(running=jobs, runs=DeviceWork(seconds, seconds, jobs))


def wanted(policy: Policy = POLICY, **seen: object) -> ScalingPlan:
    """At the first look."""
    return plan(FamilyDemand(at_s=START_S, **seen), policy, ScalingMemory())[0]  # type: ignore[arg-type] # the test names real fields


def looks(policy: Policy, *seen: FamilyDemand) -> list[int]:
    """At looks one after the other."""
    memory, found = ScalingMemory(), []
    for each in seen:
        now, memory = plan(each, policy, memory)
        found.append(now.workers)
    return found


def test_nothing_to_do_wants_nobody() -> None:
    assert wanted().workers == 0
    assert wanted().because == "idle"


def test_work_is_to_be_done_in_the_time_allowed() -> None:
    assert wanted(interactive=lane(80)).workers == 4
    assert wanted(interactive=lane(0.01, jobs=1)).workers == 1
    assert wanted(replace(POLICY, target_wait_s=40), interactive=lane(80)).workers == 2


def test_bulk_work_has_longer() -> None:
    assert wanted(bulk=lane(80)).workers == 1
    assert wanted(bulk=lane(5000)).workers == 5


def test_lanes_are_added_up() -> None:
    assert wanted(bulk=lane(2500), interactive=lane(50)).workers == 5


def test_what_runs_counts_as_what_waits_does() -> None:
    both = Lane(
        waiting=10,
        running=10,
        waits=DeviceWork(40, 40, 10),
        runs=DeviceWork(40, 40, 10),
        oldest_s=0.0,
    )
    assert wanted(interactive=both).workers == wanted(interactive=lane(80)).workers


def test_the_length_of_the_list_says_nothing() -> None:
    assert wanted(interactive=lane(80, jobs=10)).workers == 4
    assert wanted(interactive=lane(80, jobs=100_000)).workers == 4


def test_no_more_workers_than_there_are_batches() -> None:
    assert wanted(interactive=lane(600, jobs=1)).workers == 1
    assert wanted(interactive=lane(600, jobs=3)).workers == 3


def test_a_job_that_has_waited_leaves_less_time() -> None:
    assert wanted(interactive=lane(80, oldest_s=5)).workers == 6
    # Ever more do not help who is late already.
    assert wanted(interactive=lane(80, oldest_s=15)).workers == 8
    assert wanted(interactive=lane(80, oldest_s=1e6)).workers == 8


def test_new_workers_have_less_time_by_their_start_and_their_loads() -> None:
    slow = replace(POLICY, start_s=4)
    assert wanted(slow, interactive=lane(80)).workers == 5
    assert wanted(slow, interactive=lane(80), load_s=4).workers == 7
    assert wanted(slow, interactive=lane(80), workers=4).workers == 4  # enough are there


def test_jobs_that_go_on_coming_are_worked_for_besides() -> None:
    assert wanted(used=3.2).workers == 4  # at nine tenths of their time
    assert wanted(used=3.2, interactive=lane(40)).workers == 6


def test_a_queue_that_grows_is_more_than_what_is_done_of_it() -> None:
    """Two workers are busy all the time, and what waits grows by one worker's work a second."""
    steady = [
        FamilyDemand(at_s=START_S + at, interactive=lane(10 + at), used=2.0, workers=2, busy=2)
        for at in range(0, 600, 15)
    ]
    memory = ScalingMemory()
    for each in steady:
        found, memory = plan(each, replace(POLICY, target_wait_s=1e6), memory)
    assert found.load == pytest.approx(3.0, abs=0.01)
    assert found.workers == 4


def test_a_burst_that_is_worked_off_counts_once() -> None:
    """While a burst is worked off, what is done is not taken for what is still to come."""
    memory = ScalingMemory()
    for at in range(0, 60, 5):
        done = min(600, 10 * at)
        used = 10 * (1 - 2.718281828 ** (-at / 60))
        seen = FamilyDemand(
            at_s=START_S + at, interactive=lane(600 - done), used=used, workers=10, busy=10
        )
        found, memory = plan(seen, replace(POLICY, target_wait_s=60, down_after_s=1), memory)
        assert found.workers <= 20
    assert found.load < 2


def test_workers_go_when_nobody_has_wanted_them_for_the_time() -> None:
    busy = [FamilyDemand(at_s=START_S + at, interactive=lane(80)) for at in (0, 10)]
    quiet = [FamilyDemand(at_s=START_S + at) for at in range(20, 300, 10)]
    found = looks(POLICY, *busy, *quiet)
    assert found[:10] == [4] * 10  # 80 s after the last of it
    assert found[-1] == 0
    assert sorted(found, reverse=True) == found


def test_a_job_now_and_then_keeps_one_worker() -> None:
    seen = [
        FamilyDemand(at_s=START_S + at, interactive=lane(0.1, 1) if at % 60 == 0 else Lane())
        for at in range(0, 1200, 15)
    ]
    assert set(looks(POLICY, *seen)) == {1}


def test_a_worker_stays_as_long_as_it_takes_to_start_another() -> None:
    slow = replace(POLICY, down_after_s=10)
    seen = [FamilyDemand(at_s=START_S, interactive=lane(1, 1), load_s=300)]
    seen += [FamilyDemand(at_s=START_S + at, load_s=300) for at in (100, 250, 400)]
    assert looks(slow, *seen) == [1, 1, 1, 0]


def test_no_worker_is_taken_from_what_runs() -> None:
    """Four run a job each though one would do for all."""
    found = wanted(interactive=runs(0.4, jobs=4), workers=6, busy=4)
    assert (found.workers, found.because) == (4, "running")


def test_bounds_hold() -> None:
    assert wanted(replace(POLICY, min_workers=2)).workers == 2
    found = wanted(replace(POLICY, max_workers=3), interactive=lane(800))
    assert (found.workers, found.because) == (3, "max")


def test_a_look_that_comes_twice_or_late_is_no_growth() -> None:
    _, memory = plan(FamilyDemand(at_s=START_S, interactive=lane(10)), POLICY, ScalingMemory())
    again, _ = plan(FamilyDemand(at_s=START_S, interactive=lane(90)), POLICY, memory)
    assert again.load == 0
    late, _ = plan(FamilyDemand(at_s=START_S + 1e5, interactive=lane(90)), POLICY, memory)
    assert late.load == 0


def test_a_clock_put_back_holds_nothing_for_ever() -> None:
    _, memory = plan(FamilyDemand(at_s=START_S, interactive=lane(800)), POLICY, ScalingMemory())
    before = [FamilyDemand(at_s=START_S - 5000 + at) for at in range(0, 400, 20)]
    for each in before:
        found, memory = plan(each, POLICY, memory)
    assert found.workers == 0


def test_what_is_remembered_comes_back_by_its_policy(queue: Queue, settings: JobsSettings) -> None:
    _, memory = plan(FamilyDemand(at_s=START_S, interactive=lane(80)), POLICY, ScalingMemory())
    queue.run(remember("vision", POLICY, memory, settings))
    assert queue.run(recall("vision", POLICY, settings)) == memory
    assert queue.run(recall("text", POLICY, settings)) == ScalingMemory()
    other = replace(POLICY, target_wait_s=7)
    assert queue.run(recall("vision", other, settings)) == ScalingMemory()
    [key] = queue.redis.keys("*:scaling:vision:*")
    assert 0 < queue.redis.ttl(key) <= 7200
    queue.redis.set(key, b'{"of": "another version"}')
    assert queue.run(recall("vision", POLICY, settings)) == ScalingMemory()


def test_costs_are_known_by_the_size_of_the_batch() -> None:
    costs = Costs({0: 0.010, 3: 0.002})
    assert costs.batch_s(1, 9.0) == 0.010
    assert costs.batch_s(8, 9.0) == pytest.approx(0.016)
    assert costs.batch_s(12, 9.0) == pytest.approx(0.024)
    # A size nobody has seen takes what the nearest does, at most.
    assert costs.batch_s(64, 9.0) == pytest.approx(0.128)
    assert costs.batch_s(4, 9.0) == pytest.approx(0.016)


def test_full_batches_and_the_rest() -> None:
    costs = Costs({0: 0.010, 3: 0.002})
    work = costs.work(17, 17, 8, 9.0)
    assert work.device_s == pytest.approx(2 * 0.016 + 0.010)
    assert work.batches == 3
    assert costs.work(0, 0, 8, 9.0) == DeviceWork()
    assert costs.work(1, 20, 8, 9.0).batches == 1  # one job is one worker's


def test_an_unknown_model_takes_what_is_assumed() -> None:
    assert Costs().work(4, 40, 32, 0.1).device_s == pytest.approx(4.0)
    assert not Costs().known


def test_a_model_that_takes_no_device_keeps_a_worker_for_moments() -> None:
    work = Costs(has_run=True).work(320, 320, 32, 0.1)
    assert work.device_s == 0
    assert work.worker_s == pytest.approx(0.02)


def test_decoding_that_takes_longer_than_the_device_counts() -> None:
    """Three threads decode: nine seconds beside each of the device are three of a worker."""
    work = Costs({3: 0.1}, beside=8.0).work(8, 8, 8, 9.0)
    assert work.device_s == pytest.approx(0.8)
    assert work.worker_s == pytest.approx(2.4)
    assert Costs({3: 0.1}, beside=1.0).work(8, 8, 8, 9.0).worker_s == pytest.approx(0.8)
