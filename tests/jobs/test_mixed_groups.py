"""Groups of jobs that have each their own parameters, and workers that would not heed them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from wherry.jobs.failed import set_failed
from wherry.jobs.fleet import busy
from wherry.jobs.group import Group
from wherry.jobs.submit import submit
from wherry.protocol.errors import WherryError
from wherry.tasks.base import size_class

from .fleet import GROUP, Fleet

PLAIN = Group("text", "gpt", "2", tenant="acme/b", priority=3, digest="abc")
MIXED = replace(GROUP, mixed=True)


@pytest.mark.parametrize("group", [PLAIN, replace(PLAIN, mixed=True)])
def test_a_group_is_read_back_from_its_id(group: Group) -> None:
    assert Group.parse(group.id) == group
    assert group.model_id == "gpt/2"


def test_a_worker_of_the_version_before_serves_no_such_model() -> None:
    """Its claim looks for the model and version in the group's id among those that it serves."""
    before = re.compile(r"^[^/]+/([^/]+/[^/]+)/")
    found = [before.match(group.id) for group in (GROUP, MIXED)]
    assert [match and match[1] for match in found] == ["digits/1", "digits/1~"]


def test_a_worker_takes_jobs_of_both_kinds(fleet: Fleet) -> None:
    added = {*fleet.add(GROUP, 2), *fleet.add(MIXED, 2)}
    taken: set[str] = set()
    while (claimed := fleet.claim()).jobs:
        taken |= {job.id for job in claimed.jobs}
        fleet.finish(claimed)
    assert taken == added


def test_a_mixed_group_is_of_its_model(fleet: Fleet) -> None:
    fleet.add(MIXED)
    ran = busy([MIXED.model_id], fleet.settings)
    assert fleet.queue.run(ran) == {MIXED.model_id}
    fleet.queue.run(set_failed({MIXED.model_id: "it is torn"}, fleet.settings))
    with pytest.raises(WherryError, match="it is torn"):
        fleet.queue.run(submit(fleet.new_job(group=MIXED), fleet.settings))


@pytest.mark.parametrize(
    ("numbers", "size"), [((0, 1, 64), 3), ((65, 256), 4), ((257, 1024), 5), ((16_385, 32_768), 8)]
)
def test_sizes_are_powers_of_four(numbers: tuple[int, ...], size: int) -> None:
    assert {size_class(number) for number in numbers} == {size}
