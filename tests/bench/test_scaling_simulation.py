"""The simulated day, a part of it: what the scaler promises beside the length of a list."""

from __future__ import annotations

import dataclasses
import functools

import pytest
from bench.scaling.__main__ import BEGIN, DOCS, END, POLICY, Result, ours, table
from bench.scaling.day import DAYS, HOUR_S, MODELS, ORDINARY, Arrival, Day
from bench.scaling.day import arrivals as uncached
from bench.scaling.fleet import LOAD_S, START_S, Fleet
from bench.scaling.scalers import Fixed, ListLength, Ours, Scaler

#: From when people come, over a burst or two.
MORNING = dataclasses.replace(ORDINARY, from_h=8.5, to_h=10)
FILMS = dataclasses.replace(DAYS[1], from_h=13, to_h=15, peak_per_s=5.0)


BRIEF = dataclasses.replace(ORDINARY, from_h=9, to_h=9.2)

arrivals = functools.cache(uncached)


def ran(scaler: Scaler, day: Day, workers: int = 0) -> Result:
    outcome = Fleet(scaler, arrivals(day), workers, until_s=day.to_h * HOUR_S).run()
    return Result(scaler.name, outcome)


def by_length(jobs: int) -> ListLength:
    return ListLength(jobs, least=1, most=POLICY.max_workers)


def test_it_waits_less_than_the_length_of_a_list_at_no_more_cost() -> None:
    found, other = ran(ours(), MORNING), ran(by_length(20), MORNING)
    assert found.wait(0.95) < 5 < other.wait(0.95)
    assert found.wait(0.99) < other.wait(0.99)
    assert found.over < 0.01
    assert found.cost < other.cost


def test_it_keeps_its_word_when_jobs_turn_slow_and_the_length_of_a_list_does_not() -> None:
    """For which it takes more workers: there the list's is the cheaper, and the worse one."""
    found, other = ran(ours(), FILMS), ran(by_length(20), FILMS)
    assert found.wait(0.95) < 15
    assert found.over < 0.03
    assert other.wait(0.95) > POLICY.target_wait_s
    assert found.cost < 1.5 * other.cost


def test_a_list_that_costs_less_lets_jobs_wait() -> None:
    """A worker for 100 jobs is cheaper, and half of the captions wait for over half a minute."""
    found, other = ran(ours(), FILMS), ran(by_length(100), FILMS)
    assert other.cost < found.cost
    assert other.wait(0.5) > POLICY.target_wait_s > found.wait(0.95)


def test_it_costs_less_than_a_fleet_for_the_peak() -> None:
    assert ran(ours(), MORNING).cost < ran(Fixed(6), MORNING, 6).cost


@pytest.mark.parametrize("believed", [1 / 3, 3.0])
def test_predictions_that_are_wrong_are_made_up_for(believed: float) -> None:
    found = ran(ours(believed), MORNING)
    assert found.over < 0.05
    assert found.cost < 2.5 * ran(ours(), MORNING).cost


def test_a_bulk_run_at_night_is_done_in_its_time_by_few_and_then_nobody_is_there() -> None:
    night = dataclasses.replace(ORDINARY, from_h=0, to_h=6, bulk_jobs=2000)
    outcome = ran(ours(), night).outcome
    assert max(outcome.bulk_waits) < POLICY.bulk_target_wait_s
    assert max(count for _, count in outcome.workers) <= 2
    assert outcome.workers[-1][1] == 0
    assert outcome.worker_s < 1.3 * outcome.work_s + 600


def test_no_job_is_lost_whoever_scales() -> None:
    jobs = arrivals(FILMS)
    scalers: tuple[Scaler, ...] = (ours(), by_length(20))
    for scaler in scalers:
        outcome = Fleet(scaler, jobs, until_s=0).run()
        assert len(outcome.waits) + len(outcome.bulk_waits) == len(jobs)


def test_jobs_now_and_then_do_not_make_workers_flap() -> None:
    jobs = [Arrival(60.0 * minute, MODELS[0], 1) for minute in range(180)]
    outcome = Fleet(ours(), jobs, until_s=180 * 60).run()
    assert [count for _, count in outcome.workers][:-1] == [1]
    assert outcome.waits[0] == START_S + LOAD_S  # the first waits for the start, no other does
    assert max(outcome.waits[1:]) < 1


def test_a_day_is_the_same_each_time() -> None:
    assert uncached(BRIEF) == uncached(BRIEF)
    assert uncached(BRIEF) != uncached(BRIEF, seed=21)


def test_the_simulation_asks_the_scaler_of_the_api() -> None:
    assert Ours.wanted.__globals__["plan"].__module__ == "wherry.jobs.scaling"


@pytest.mark.slow
def test_the_page_has_what_the_simulation_gives() -> None:
    made = (DOCS / "scaling.md").read_text().partition(BEGIN)[2].partition(END)[0]
    jobs = arrivals(ORDINARY)
    line = table([Result("predicted seconds (ours)", Fleet(ours(), jobs).run())])[-1]
    assert line in made
