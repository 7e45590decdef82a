"""What an operator is shown of queues and workers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.fleet import at_work, groups
from wherry.jobs.keys import Keys

from .fleet import GROUP, HEAVY, Fleet

OTHERS = replace(HEAVY, tenant="ann", priority=9)


def test_what_a_worker_runs_now(queue: Queue, settings: JobsSettings, fleet: Fleet) -> None:
    assert queue.run(at_work(settings)) == {}
    fleet.add(GROUP, 6)
    light = fleet.claim(GROUP)
    fleet.add(HEAVY, 2)
    fleet.claim(HEAVY)
    first, second = queue.run(at_work(settings))["w1"]
    assert (first.group, first.share) == (GROUP, 0.75)
    assert (second.group, second.share) == (HEAVY, 0.25)
    assert 0 <= second.for_s < 10
    fleet.finish(light)
    assert [each.group for each in queue.run(at_work(settings))["w1"]] == [HEAVY]


def test_groups_tell_their_weight_and_device_time(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    fleet.add(OTHERS, 4, weight=2.5)
    fleet.run(OTHERS)
    fleet.add(GROUP, 4)
    fleet.run(GROUP)
    seen, _ = queue.run(groups(settings))
    assert (seen[OTHERS.id].weight, seen[GROUP.id].weight) == (2.5, settings.interactive_weight)
    assert seen[OTHERS.id].device_s_per_s == pytest.approx(4 * 0.02 / 60, rel=0.05)
    assert seen[GROUP.id].device_s_per_s == pytest.approx(4 * 0.001 / 60, rel=0.05)


def test_device_time_is_forgotten_over_a_minute(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    redis: Any = queue.redis
    key = Keys(settings.key_prefix).group(HEAVY.id)
    fleet.add(HEAVY, 4)
    fleet.run(HEAVY)
    us, at = redis.hget(key, "device").split()
    redis.hset(key, "device", f"{us.decode()} {int(at) - 60_000}")
    seen, _ = queue.run(groups(settings))
    assert seen[HEAVY.id].device_s_per_s == pytest.approx(0.08 / 60 / 2.718, rel=0.05)
    fleet.add(HEAVY, 4)
    fleet.run(HEAVY)
    seen, _ = queue.run(groups(settings))
    assert seen[HEAVY.id].device_s_per_s == pytest.approx(0.08 / 60 * (1 + 1 / 2.718), rel=0.05)


def test_a_group_of_an_older_worker_shows_none(
    queue: Queue, settings: JobsSettings, fleet: Fleet
) -> None:
    redis: Any = queue.redis
    fleet.add(GROUP, 1)
    fleet.run(GROUP)
    redis.hdel(Keys(settings.key_prefix).group(GROUP.id), "device")
    seen, _ = queue.run(groups(settings))
    assert seen[GROUP.id].device_s_per_s == 0
