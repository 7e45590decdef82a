"""Who is served next: priorities within a tenant, weights between tenants and lanes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.claim import BatchBudget
from wherry.jobs.recover import cancel, reissue

from .fleet import GROUP, HEAVY, Fleet, Make


def test_a_tenants_jobs_go_by_priority(fleet: Fleet) -> None:
    groups = {priority: replace(GROUP, priority=priority) for priority in (5, 8, 1, 3, 7, 2, 6, 4)}
    for group in groups.values():
        fleet.add(group, 12)
    batches = [fleet.run(groups[8]).jobs for _ in range(12)]
    assert [len(batch) for batch in batches] == [8] * 12, "the next priority fills a batch up"
    order = [job.group.priority for batch in batches for job in batch]
    assert order == sorted(order)


def test_groups_of_one_priority_take_turns(fleet: Fleet) -> None:
    groups = [replace(GROUP, digest=name) for name in ("c", "a", "b")]
    for group in groups:
        fleet.add(group, 24)
    assert [fleet.serve().digest for _ in range(9)] == ["c", "a", "b"] * 3


def test_tenants_share_by_weight_whatever_their_groups_and_models(fleet: Fleet) -> None:
    """Device time counts: the light tenant's model costs twenty times as much a row."""
    for number in range(10):  # ten groups are no ten shares
        fleet.add(replace(GROUP, tenant="small", digest=f"d{number}"), 60, weight=1.0)
    fleet.add(replace(HEAVY, tenant="big"), 600, weight=3.0)
    spent: Counter[str] = Counter()
    for _ in range(250):
        claimed = fleet.claim()
        fleet.finish(claimed)
        assert claimed.group is not None
        if claimed.group.tenant == "small" and spent["small"] >= 500_000:
            break
        spent[claimed.group.tenant] += len(claimed.jobs) * fleet.row_us[claimed.group.model]
    assert spent["big"] / spent["small"] == pytest.approx(3, rel=0.15)


def test_a_single_job_is_the_next_batch_beside_a_bulk_run(fleet: Fleet) -> None:
    bulk = replace(GROUP, priority=9)
    fleet.add(bulk, 400)
    for _ in range(10):
        assert fleet.serve(bulk) == bulk
    for _ in range(5):
        fleet.add(GROUP)
        assert fleet.serve(bulk) == GROUP
        assert fleet.serve(bulk) == bulk


def test_bulk_is_never_starved_by_interactive_jobs(fleet: Fleet) -> None:
    bulk = replace(GROUP, priority=9)
    fleet.add(bulk, 80)
    fleet.add(GROUP, 8 * 90)
    served = Counter(fleet.serve().priority for _ in range(90))
    assert served[9] == 10, "one part in nine, as the weights 8 and 1 say"


def test_the_weight_of_a_lane_is_a_setting(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    fleet = Fleet(queue, settings.model_copy(update={"interactive_weight": 2.0}), new_job)
    fleet.add(replace(GROUP, priority=9), 160)
    fleet.add(GROUP, 8 * 30)
    assert Counter(fleet.serve().priority for _ in range(30))[9] == 10


def test_who_was_away_has_saved_nothing_up(fleet: Fleet) -> None:
    ann, bob = replace(GROUP, tenant="ann"), replace(GROUP, tenant="bob")
    fleet.add(ann, 400)
    for _ in range(20):
        fleet.serve(ann)
    fleet.add(bob, 400)
    served = Counter(fleet.serve(ann).tenant for _ in range(20))
    assert abs(served["ann"] - served["bob"]) <= 2


def test_who_comes_is_next_though_an_estimate_was_a_little_high(fleet: Fleet) -> None:
    """What a batch took is known at its end only; a single job must not lose its turn by that."""
    bulk = replace(GROUP, priority=9)
    fleet.add(bulk, 80)
    for _ in range(3):
        fleet.serve(bulk)
    running = fleet.claim(bulk)
    fleet.row_us["digits"] = 990
    fleet.add(GROUP)
    fleet.finish(running)
    assert fleet.serve(bulk) == GROUP


def test_who_goes_and_comes_back_still_owes_what_it_used(fleet: Fleet) -> None:
    ann, bob = replace(GROUP, tenant="ann"), replace(GROUP, tenant="bob")
    fleet.row_us["digits"] = 50_000
    fleet.add(ann, 8)
    fleet.add(bob, 80)
    assert fleet.serve(ann) == ann  # it empties its queue, after 400 ms of the device
    fleet.add(ann, 80)
    assert fleet.serve(ann) == bob, "a tenant cannot win by waiting with one batch at a time"


def test_nothing_is_owed_once_nobody_waits(fleet: Fleet) -> None:
    ann, bob = replace(GROUP, tenant="ann"), replace(GROUP, tenant="bob")
    fleet.add(ann, 16)
    fleet.serve(ann)
    fleet.serve(ann)
    fleet.add(bob, 8)
    fleet.add(ann, 8)
    assert {fleet.serve(ann), fleet.serve(ann)} == {ann, bob}
    assert not fleet.queue.redis.keys("wherry:idle:*")
    assert not fleet.queue.redis.keys("wherry:flow*")


def test_an_estimate_that_was_wrong_is_settled_at_the_end(fleet: Fleet) -> None:
    ann, bob = replace(HEAVY, tenant="ann"), replace(GROUP, tenant="bob")
    fleet.add(ann, 80)
    fleet.add(bob, 800)
    first = fleet.claim()  # nothing is known yet: a row of either counts 1 ms
    assert first.charges == {ann: 8 * 1000}
    assert first.group == ann
    fleet.finish(first)  # but took 20
    assert [fleet.serve().tenant for _ in range(20)] == ["bob"] * 20
    assert fleet.serve() == ann
    assert fleet.queue.redis.hget("wherry:pace:vision", "heavy/1 3") == b"20000.0"


def test_small_batches_tell_nothing_of_large_ones(fleet: Fleet) -> None:
    """A single row may cost as much as a full batch: taken by the row, it would cost eight."""
    fleet.add(replace(GROUP, priority=9), 80)
    fleet.row_us["digits"] = 80_000
    fleet.add(GROUP)
    assert fleet.serve() == GROUP
    fleet.row_us["digits"] = 10_000
    assert fleet.serve().is_bulk
    assert sum(fleet.claim().charges.values()) == 80_000
    fleet.add(GROUP)
    assert sum(fleet.claim().charges.values()) == 80_000


def test_a_group_that_lingers_blocks_nobody(fleet: Fleet) -> None:
    fleet.budgets[HEAVY.model_id] = BatchBudget(max_rows=8, preferred_rows=8, max_delay_ms=60_000)
    fleet.add(HEAVY, 7)
    assert 0 < fleet.claim(HEAVY).wait_ms <= 60_000
    fleet.add(replace(GROUP, priority=9))
    assert fleet.serve(HEAVY).priority == 9
    fleet.add(HEAVY)
    assert fleet.serve(HEAVY) == HEAVY, "it has filled"


def test_patience_ends_where_it_would_let_others_pass(fleet: Fleet) -> None:
    bulk = replace(GROUP, priority=9)
    fleet.add(GROUP)
    assert fleet.claim(patient=True).wait_ms > 0, "all are part-filled: company costs nothing"
    fleet.add(bulk, 7)
    assert fleet.claim(patient=True).wait_ms > 0
    fleet.add(bulk)
    assert fleet.claim(patient=True).group == GROUP, "else the full one would pass it"


def test_who_needs_no_device_waits_for_none(fleet: Fleet) -> None:
    fleet.budgets[HEAVY.model_id] = BatchBudget(max_rows=8, max_delay_ms=-1)
    fleet.add(GROUP)
    fleet.add(replace(HEAVY, priority=9))
    assert fleet.claim(patient=True).group == replace(HEAVY, priority=9)
    assert fleet.claim(patient=True).wait_ms > 0, "the other goes on waiting for company"


def test_a_worker_leaves_other_models_to_others(fleet: Fleet) -> None:
    strange = replace(GROUP, model="strange", priority=1)
    fleet.add(strange, 2)
    fleet.add(GROUP, 2)
    fleet.queue.redis.rpop("vision")  # the ticket of `strange`, as Celery takes it
    assert fleet.claim(strange).group == GROUP, "the next one is served instead"
    assert fleet.queue.redis.llen("vision") == 2, "and the ticket stays for another worker"
    claimed = fleet.claim(strange)
    assert (claimed.is_foreign, claimed.jobs) == (True, ())
    assert fleet.queue.run(reissue([strange], fleet.settings, at_once=True))


def test_the_tickets_own_model_is_found_behind_any_number_of_others(fleet: Fleet) -> None:
    for number in range(40):
        fleet.add(replace(GROUP, model="strange", digest=f"d{number}"))
    fleet.add(GROUP)
    assert fleet.claim(GROUP).group == GROUP


def test_canceled_jobs_take_no_turn(fleet: Fleet) -> None:
    first, second = replace(GROUP, priority=1), replace(GROUP, priority=2)
    for job_id in fleet.add(first, 3):
        fleet.queue.run(cancel(job_id, fleet.settings))
    fleet.add(second)
    assert fleet.serve(first) == second


def test_claims_stay_fast_among_thousands_of_groups(fleet: Fleet) -> None:
    """The scripts look at a bounded number of groups: Redis's own count of commands says so."""

    def commands() -> int:
        stats = fleet.queue.redis.info("commandstats")
        return sum(int(item["calls"]) for item in stats.values())

    fleet.add(GROUP, 1)
    before = commands()
    fleet.serve()
    few = commands() - before
    for number in range(500):
        fleet.add(replace(GROUP, digest=f"d{number}"), 1)
    before = commands()
    fleet.serve()
    assert commands() - before <= few + 5
