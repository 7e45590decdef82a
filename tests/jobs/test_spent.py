from __future__ import annotations

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.keys import Keys
from wherry.jobs.spent import add_spent


def test_a_days_sum_is_that_of_all_who_add_and_is_forgotten(
    queue: Queue, settings: JobsSettings
) -> None:
    assert queue.run(add_spent("writer/1", 20_000, 0.25, settings)) == 0.25
    assert queue.run(add_spent("writer/1", 20_000, 1e-7, settings)) == 0.2500001
    assert queue.run(add_spent("writer/1", 20_001, 1.0, settings)) == 1.0
    assert queue.run(add_spent("writer/2", 20_000, 2.0, settings)) == 2.0
    key = Keys(settings.key_prefix).spent("writer/1", 20_000)
    assert 0 < queue.redis.ttl(key) <= 2 * 86_400
