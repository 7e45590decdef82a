"""Whose jobs fill a batch up that the due group does not fill, and what that costs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.group import Group
from wherry.jobs.record import Claim
from wherry.jobs.recover import cancel, reap
from wherry.jobs.tenants import TenantLimits
from wherry.protocol.errors import TenantLimit

from .fleet import GROUP, HEAVY, Fleet

ANN, BOB, CID = (replace(GROUP, tenant=name) for name in ("ann", "bob", "cid"))
BULK = replace(GROUP, priority=9)


def aboard(claimed: Claim) -> list[tuple[Group, int]]:
    """The groups of a batch, and how many jobs of each."""
    return [(share.group, len(share.jobs)) for share in claimed.shares]


def know(fleet: Fleet, us: float, *rows: int) -> None:
    """Let a batch of so many rows have taken so long, whatever its rows."""
    for each in rows:
        size = each.bit_length() - 1
        fleet.queue.redis.hset("wherry:pace:vision", f"digits/1 {size}", us / each)


def test_the_tenants_own_jobs_come_first_and_by_priority(fleet: Fleet) -> None:
    urgent, later = replace(ANN, priority=2), replace(ANN, priority=8)
    fleet.add(BOB, 8)
    fleet.add(later, 3)
    fleet.add(ANN, 1)
    fleet.add(urgent, 2)
    assert aboard(fleet.claim()) == [(urgent, 2), (ANN, 1), (later, 3), (BOB, 2)]


def test_others_follow_in_the_order_in_which_they_are_due(fleet: Fleet) -> None:
    fleet.add(BOB, 9)
    fleet.add(CID, 9)
    fleet.run()  # bob's
    fleet.add(ANN, 1)  # as much behind as the batch served last
    fleet.queue.redis.zadd("wherry:flows:vision", {"1/ann": 0, "1/bob": 20, "1/cid": 10})
    assert aboard(fleet.claim()) == [(ANN, 1), (CID, 7)]


def test_single_jobs_of_many_tenants_fill_a_batch(fleet: Fleet) -> None:
    fleet.budgets[GROUP.model_id] = BatchBudget(max_rows=48)
    for number in range(48):
        fleet.add(replace(GROUP, tenant=f"t{number}"))
    assert len(fleet.claim(patient=True).jobs) == 48


def test_each_flow_is_charged_for_its_own_rows(fleet: Fleet) -> None:
    fleet.add(ANN, 2, weight=0.5)
    fleet.add(BOB, 30, weight=0.25)
    claimed = fleet.claim()
    assert claimed.charges == {ANN: 2000, BOB: 6000}
    fleet.add(ANN, 1, weight=0.5)
    assert fleet.passes() == {"1/bob": 6000 / (0.25 * 8), "1/ann": 2000 / (0.5 * 8)}
    fleet.row_us["digits"] = 3000
    fleet.finish(claimed)
    assert fleet.passes() == {"1/bob": 3 * 3000, "1/ann": 3 * 500}, "settled by who paid how much"


def test_what_is_given_back_costs_nobody_anything(fleet: Fleet) -> None:
    fleet.add(ANN, 4)
    fleet.add(BOB, 9)
    claimed = fleet.claim()
    assert aboard(claimed) == [(ANN, 4), (BOB, 4)]
    assert fleet.give_back(claimed) == 8
    assert fleet.passes() == {"1/ann": 0, "1/bob": 0}
    assert aboard(fleet.claim()) == aboard(claimed)


def test_nothing_that_is_due_earlier_is_passed_over(fleet: Fleet) -> None:
    """Bob's other model would be next: nobody behind it may make it wait for his rows."""
    fleet.add(ANN, 2)
    fleet.add(replace(HEAVY, tenant="bob"), 8)
    fleet.add(CID, 8)
    fleet.queue.redis.zadd("wherry:flows:vision", {"1/ann": 0, "1/bob": 10, "1/cid": 20})
    assert aboard(fleet.claim()) == [(ANN, 2)]
    assert fleet.serve() == replace(HEAVY, tenant="bob")
    assert fleet.serve() == CID


def test_nor_is_a_tenants_own_job_of_a_higher_priority(fleet: Fleet) -> None:
    first, last = replace(GROUP, priority=1), replace(GROUP, priority=3)
    between = replace(HEAVY, priority=2)
    for group in (last, between, first):
        fleet.add(group, 2)
    assert [fleet.serve() for _ in range(3)] == [first, between, last]


def test_who_is_another_workers_holds_nobody_up(fleet: Fleet) -> None:
    fleet.add(ANN, 2)
    fleet.add(replace(GROUP, model="strange", tenant="bob"), 8)
    fleet.add(CID, 8)
    fleet.queue.redis.zadd("wherry:flows:vision", {"1/ann": 0, "1/bob": 10, "1/cid": 20})
    assert aboard(fleet.claim()) == [(ANN, 2), (CID, 6)]


def test_who_is_behind_it_rides_free_where_that_takes_no_longer(fleet: Fleet) -> None:
    know(fleet, 1000, 2, 4, 8)  # a forward takes its time whatever its rows
    fleet.add(ANN, 2)
    fleet.add(replace(HEAVY, tenant="bob"), 8)
    fleet.add(CID, 8)
    fleet.queue.redis.zadd("wherry:flows:vision", {"1/ann": 0, "1/bob": 10, "1/cid": 20})
    claimed = fleet.claim()
    assert claimed.charges == {ANN: 1000, CID: 0}
    assert len(claimed.jobs) == 8
    assert fleet.passes()["1/cid"] == 20
    fleet.give_back(claimed)
    assert fleet.passes()["1/cid"] == 20


@pytest.mark.parametrize(
    ("us", "rides"), [(1250, 7), (1260, 2), (5000, 2)], ids=["a quarter", "more", "in proportion"]
)
def test_bulk_rows_fill_a_waited_batch_as_far_as_they_cost_next_to_nothing(
    fleet: Fleet, us: float, rides: int
) -> None:
    know(fleet, 1000, 1, 2)
    know(fleet, 1000 * 3 / 2, 3)  # a row costs 500 us in batches of 2 and 3
    know(fleet, 1250 if us == 1250 else us, 8)
    know(fleet, 1e6, 4)
    if us != 1250:
        know(fleet, 1200 * 2 / 3, 2)
    fleet.add(GROUP)
    fleet.add(BULK, 20)
    assert aboard(fleet.claim()) == [(GROUP, 1), (BULK, rides)]


@pytest.mark.parametrize(("us", "fills"), [(7400, True), (7600, False)], ids=["cheaper", "as dear"])
def test_a_batch_is_filled_where_rows_come_cheaper_by_that(
    fleet: Fleet, us: float, fills: bool
) -> None:
    """Else the urgent job would wait for the others' rows, and nobody have more of it."""
    know(fleet, 5000, 4)
    know(fleet, us, 8)
    fleet.add(replace(GROUP, priority=1), 4)
    fleet.add(GROUP, 8)
    fleet.add(BOB, 8)
    assert len(fleet.claim().jobs) == (8 if fills else 4)


def test_a_small_batch_is_filled_whatever_its_device_time(fleet: Fleet) -> None:
    """A batch has its price, beside which some µs are nothing."""
    know(fleet, 100, 1)
    know(fleet, 800, 8)
    fleet.add(replace(GROUP, priority=1))
    fleet.add(GROUP, 8)
    assert len(fleet.claim().jobs) == 8


def test_bulk_rows_ride_with_none_of_whose_cost_nothing_is_known(fleet: Fleet) -> None:
    fleet.add(GROUP)
    fleet.add(BULK, 20)
    assert aboard(fleet.claim()) == [(GROUP, 1)]
    assert aboard(fleet.claim()) == [(BULK, 8)]


def test_a_batch_of_bulk_rows_takes_along_who_is_waited_for(fleet: Fleet) -> None:
    fleet.add(BULK, 3)
    fleet.add(ANN, 2)
    fleet.queue.redis.zadd("wherry:flows:vision", {"1/ann": 20, "2/-": 0})
    assert aboard(fleet.claim()) == [(BULK, 3), (ANN, 2)]


def test_tenants_stay_apart_where_they_are_to(fleet: Fleet) -> None:
    fleet.add(ANN, 2)
    fleet.add(replace(ANN, priority=9), 2)
    fleet.add(replace(ANN, priority=7), 2)
    fleet.add(BOB, 2)
    call = claim(ANN, "w1", fleet.budgets, fleet.settings, tenants_apart=True)
    assert aboard(fleet.queue.run(call)) == [(ANN, 2), (replace(ANN, priority=7), 2)]


def test_other_parameters_models_and_versions_stay_apart(fleet: Fleet) -> None:
    second = replace(GROUP, version="2")
    fleet.budgets[second.model_id] = BatchBudget(max_rows=8)
    others = [second, replace(GROUP, digest="d"), HEAVY]
    for group in (GROUP, *others):
        fleet.add(group)
    assert aboard(fleet.claim()) == [(GROUP, 1)]
    assert {fleet.serve() for _ in others} == set(others)


def test_a_batch_holds_no_more_rows_and_bytes_than_it_may(fleet: Fleet) -> None:
    fleet.budgets[GROUP.model_id] = BatchBudget(max_rows=8, max_bytes=1020)
    fleet.add(ANN, 3, payload=b"x" * 200)
    fleet.add(BOB, 3, payload=b"x" * 200)
    fleet.add(CID, 3, rows=3)
    assert aboard(fleet.claim()) == [(ANN, 3), (BOB, 2), (CID, 1)]


def test_a_suspect_neither_joins_others_nor_holds_them_up(fleet: Fleet) -> None:
    [suspect] = fleet.add(BOB)
    fleet.claim()
    fleet.queue.run(reap("w1", fleet.settings, gone=True))
    fleet.add(ANN, 2)
    fleet.add(BOB, 2)
    fleet.add(CID, 2)
    fleet.queue.redis.zadd("wherry:flows:vision", {"1/ann": 0, "1/bob": 10, "1/cid": 20})
    assert aboard(fleet.claim()) == [(ANN, 2), (CID, 2)]
    [alone] = fleet.claim().jobs
    assert (alone.id, alone.is_suspect) == (suspect, True)


def test_canceled_and_expired_jobs_of_others_take_no_room(fleet: Fleet) -> None:
    fleet.add(ANN, 2)
    for job_id in fleet.add(BOB, 4):
        fleet.queue.run(cancel(job_id, fleet.settings))
    fleet.add(BOB, 1, start_by_ms=1)
    fleet.add(BOB, 3)
    assert aboard(fleet.claim()) == [(ANN, 2), (BOB, 3)]


def test_the_limit_of_a_tenant_counts_what_others_took_along(fleet: Fleet) -> None:
    fleet.add(ANN)
    fleet.add(BOB, 2, limits=TenantLimits(max_waiting=2))
    with pytest.raises(TenantLimit):
        fleet.add(BOB, limits=TenantLimits(max_waiting=2))
    fleet.claim()
    fleet.add(BOB, 2, limits=TenantLimits(max_waiting=2))


def test_a_batch_that_mates_fill_waits_for_no_company(fleet: Fleet) -> None:
    groups = [replace(GROUP, priority=priority) for priority in range(1, 9)]
    for group in groups[:7]:
        fleet.add(group)
    assert fleet.claim(patient=True).wait_ms > 0
    fleet.add(groups[7])
    assert len(fleet.claim(patient=True).jobs) == 8


def test_shares_hold_between_tenants_who_fill_others_batches(fleet: Fleet) -> None:
    """Single jobs lead all the time, who leave room: the weights say who has it."""
    for tenant, weight in (("heavy", 3.0), ("light", 1.0)):
        for priority in (3, 5):
            group = replace(GROUP, tenant=tenant, priority=priority)
            fleet.add(group, int(45 * weight), weight=weight)
    served: Counter[str] = Counter()
    fleet.row_us["digits"] = 100
    for number in range(60):
        fleet.add(replace(GROUP, tenant=f"single{number}"), 3)
        served.update(job.group.tenant for job in fleet.run().jobs)
    assert served["heavy"] + served["light"] == 60 * 5
    assert abs(served["heavy"] / 3 - served["light"]) <= 8, "but for a batch, however many"


@pytest.mark.parametrize("all_alike", [True, False], ids=["a forward", "a row"])
def test_device_time_is_shared_by_weight_whoever_fills_batches(
    fleet: Fleet, all_alike: bool
) -> None:
    """Ann has few rows, cid and a bulk run may come along, dee's model is another: who rides along
    takes nothing from her, whether time goes by forwards or by rows.
    """
    dee = replace(HEAVY, tenant="dee")
    fleet.add(CID, 170)
    fleet.add(BULK, 60)
    fleet.add(dee, 170)
    spent: Counter[Group] = Counter()
    for _ in range(50):
        fleet.add(ANN, 3)
        claimed = fleet.claim()
        rows = len(claimed.jobs)
        row_us = 8000 // rows if all_alike else 1000
        fleet.row_us = dict.fromkeys(fleet.row_us, row_us)
        for share in claimed.shares:
            spent[share.group] += len(share.jobs) * row_us
        fleet.finish(claimed)
    assert spent[dee] == pytest.approx(spent[CID], rel=0.15), "8 to 8"
    assert spent[dee] / spent[BULK] >= 5, "8 to 1"
    assert spent[BULK] >= 8000, "it is not forgotten, either"


def test_who_does_not_fit_into_others_batches_keeps_its_turn(fleet: Fleet) -> None:
    """Bob's large jobs are looked at for each of the others' batches, and there is never room."""
    large, other = replace(GROUP, tenant="bob"), replace(HEAVY, tenant="bob")
    fleet.add(large, 2, rows=8)
    fleet.add(other, 20)
    flow = "wherry:flow:vision/1/bob"
    redis: Any = fleet.queue.redis  # redis-py types an answer as all it may ever be
    before = redis.zscore(flow, large.id)
    for _ in range(2):
        fleet.add(ANN, 2)
        redis.zadd("wherry:flows:vision", {"1/ann": 0, "1/bob": 10})
        assert aboard(fleet.claim()) == [(ANN, 2)]
    assert redis.zscore(flow, large.id) == before


def test_a_batch_that_has_its_bytes_goes_through_no_lists_of_others(fleet: Fleet) -> None:
    """To pop and to push back the heads of 256 lists would hold Redis up for 60 ms."""
    mates = [
        replace(GROUP, tenant=f"t{number // 8}", priority=number % 8 + 1) for number in range(64)
    ]
    fleet.budgets[GROUP.model_id] = BatchBudget(max_rows=8, max_bytes=100)
    for mate in mates:
        fleet.add(mate, 2, payload=b"x" * 90)
    redis: Any = fleet.queue.redis
    redis.config_resetstat()
    assert len(fleet.claim(mates[0]).jobs) == 1
    assert redis.info("commandstats")["cmdstat_lpop"]["calls"] <= 10
    lists = [redis.lrange(f"wherry:wait:{mate.id}", 0, -1) for mate in mates]
    seqs = [[int(redis.hget(b"wherry:job:" + name, "seq")) for name in each] for each in lists]
    assert sum(map(len, seqs)) == 127
    assert all(each == sorted(each) for each in seqs), "each list as it was"
