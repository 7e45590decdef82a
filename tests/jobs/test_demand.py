"""What waits and runs, as Redis tells it, and what batches took."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.demand import (
    FIRST_PAGE,
    GroupDemand,
    demand_page,
    read_counted,
    read_pace,
)
from wherry.jobs.keys import Keys

from .fleet import GROUP, HEAVY, Fleet

BULK = replace(GROUP, priority=9)


def of_group(queue: Queue, settings: JobsSettings, group: object) -> GroupDemand:
    page = queue.run(demand_page(settings))
    assert page.following == FIRST_PAGE
    [found] = [each for each in page.groups if each.group == group]
    return found


def test_rows_that_wait_are_counted_and_not_jobs(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    fleet.add(GROUP, 3, rows=4)
    fleet.add(BULK, 2, rows=64)
    seen, bulk = of_group(queue, settings, GROUP), of_group(queue, settings, BULK)
    assert (seen.waiting, seen.waiting_rows) == (3, 12)
    assert (bulk.waiting, bulk.waiting_rows) == (2, 128)
    assert seen.running == 0
    assert 0 <= seen.oldest_s < 10


def test_a_long_list_is_sampled_at_both_ends(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    fleet.add(GROUP, 50, rows=1)
    fleet.add(GROUP, 50, rows=3)
    seen = of_group(queue, settings, GROUP)
    assert (seen.waiting, seen.waiting_rows) == (100, 200)


@pytest.mark.parametrize("count", range(1, 12))
def test_a_short_list_is_counted_whole(
    queue: Queue, settings: JobsSettings, fleet: Fleet, count: int
) -> None:
    for rows in range(1, count + 1):
        fleet.add(GROUP, 1, rows=rows)
    seen = of_group(queue, settings, GROUP)
    if count <= 8:
        assert seen.waiting_rows == sum(range(1, count + 1))
    assert seen.waiting == count


def test_what_a_worker_runs_is_told_by_its_rows(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    fleet.add(GROUP, 2, rows=2)
    claimed = fleet.claim(GROUP)
    page = queue.run(demand_page(settings))
    assert page.workers["w1"].jobs == 2
    assert page.workers["w1"].rows == {GROUP: (2, 4)}
    fleet.finish(claimed)
    page = queue.run(demand_page(settings))
    assert page.workers["w1"].jobs == 0


def test_all_pages_together_have_every_group(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    groups = {replace(GROUP, tenant=f"t{number}") for number in range(600)}
    for group in groups:
        fleet.add(group)
    page = queue.run(demand_page(settings))
    found, pages = {each.group for each in page.groups}, 1
    while page.following != FIRST_PAGE:
        page = queue.run(demand_page(settings, page.following))
        assert len(page.groups) < 400  # a page is bounded
        found |= {each.group for each in page.groups}
        pages += 1
    assert found == groups
    assert pages > 2


def test_what_batches_took_is_known_by_model_and_size(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    assert queue.run(read_pace("vision", settings)) == {}
    fleet.add(GROUP, 8)
    fleet.run(GROUP)
    fleet.add(HEAVY, 1)
    fleet.run(HEAVY)
    pace = queue.run(read_pace("vision", settings))
    assert pace == {"digits/1": {3: 0.001}, "heavy/1": {0: 0.02}}


def test_whether_a_model_has_run_is_known_by_its_counters(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    before = queue.run(read_counted(GROUP, settings))
    assert (before.has_run, before.beside) == (False, 0.0)
    fleet.add(GROUP, 8)
    fleet.run(GROUP)
    assert queue.run(read_counted(GROUP, settings)).has_run
    redis: Any = queue.redis
    key = Keys(settings.key_prefix).stats("digits", "1")
    redis.hset(key, mapping={"input_us": 300, "compute_us": 100, "output_us": 100})
    assert queue.run(read_counted(GROUP, settings)).beside == 4.0


def test_that_work_comes_to_a_family_that_had_none_is_told_once(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    with queue.redis.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(Keys(settings.key_prefix).work_came)
        assert heard.get_message(timeout=1) is None  # the subscription itself
        fleet.add(GROUP, 3)
        fleet.add(HEAVY, 1)
        message = heard.get_message(timeout=5)
        assert message is not None
        assert message["data"] == b"vision"
        assert heard.get_message(timeout=0.1) is None
        while fleet.claim(GROUP).jobs:
            pass
        fleet.add(HEAVY, 1)
        assert heard.get_message(timeout=5) is not None
