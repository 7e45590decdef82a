"""What a claim charged a flow, when its batch is given back: as if it had never been claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wherry.jobs.recover import sweep

from .fleet import GROUP, Fleet


@pytest.mark.parametrize("waiting", [8, 16], ids=["its last jobs", "some of its jobs"])
def test_a_batch_that_is_given_back_costs_its_flow_nothing(fleet: Fleet, waiting: int) -> None:
    ann, bob = replace(GROUP, tenant="ann"), replace(GROUP, tenant="bob")
    fleet.add(ann, waiting, weight=0.5)
    fleet.add(bob, 16)
    claimed = fleet.claim()
    assert claimed.group == ann
    assert fleet.give_back(claimed) == 8
    assert fleet.passes() == {"1/ann": 0, "1/bob": 0}
    assert fleet.give_back(claimed) == 0, "sent twice, done once"
    assert fleet.serve() == ann
    assert fleet.serve() == bob


def test_what_is_given_back_in_part_is_refunded_in_part(fleet: Fleet) -> None:
    slow = fleet.add(GROUP, 2, execution_timeout_ms=600_000)
    fleet.add(GROUP, 14)
    claimed = fleet.claim()
    fleet.queue.redis.zadd("wherry:deadlines", dict.fromkeys(slow, 1))
    fleet.queue.run(sweep(fleet.settings))  # a keeper ends the two that ran too long
    assert fleet.give_back(claimed) == 6
    assert fleet.passes() == {"1/-": 250}, "8 ms over a weight of 8, less 6 of 8"


def test_a_charge_long_forgotten_is_not_given_back_out_of_nothing(fleet: Fleet) -> None:
    ann, bob = replace(GROUP, tenant="ann"), replace(GROUP, tenant="bob")
    fleet.add(bob, 8)
    held = fleet.claim()  # nobody waits any more: all that was charged is forgotten
    fleet.add(ann, 8)
    fleet.add(bob, 8)
    fleet.give_back(held)
    assert fleet.passes() == {"1/ann": 0, "1/bob": 0}
