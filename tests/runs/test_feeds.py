"""Run workers that feed the same flow know of each other."""

from __future__ import annotations

import pytest

from wherry.protocol.errors import Unavailable
from wherry.runs.feeds import FEEDS, Feeds, flow_of

FLOW, OTHER = flow_of("m", "1", "-", 9), flow_of("m", "1", "acme", 9)


class Worker:
    """One of several run workers, whose heartbeats the others hear when they beat themselves."""

    def __init__(self, fleet: list[Worker]) -> None:
        self.said: list[str] = []
        self.feeds, self.fleet = Feeds(self.beat), fleet
        fleet.append(self)

    def beat(self) -> None:
        self.said = self.feeds.feeds()
        others = [{FEEDS: each.said} for each in self.fleet if each is not self]
        self.feeds.heard([*others, {"state": "ready"}])  # and one of an earlier version


def test_who_begins_is_known_with_the_next_beat_and_knows_of_others_at_once() -> None:
    fleet: list[Worker] = []
    one, another = Worker(fleet), Worker(fleet)
    with one.feeds.feeding(FLOW):
        assert one.feeds.sharers(FLOW) == 1
        with another.feeds.feeding(FLOW):
            assert another.feeds.sharers(FLOW) == 2
            assert one.feeds.sharers(FLOW) == 1
            one.beat()
            assert one.feeds.sharers(FLOW) == 2


def test_another_tenants_jobs_and_another_versions_have_a_turn_of_their_own() -> None:
    fleet: list[Worker] = []
    one, another = Worker(fleet), Worker(fleet)
    with another.feeds.feeding(OTHER), one.feeds.feeding(FLOW):
        assert one.feeds.sharers(FLOW) == 1


def test_between_two_shards_nobody_takes_the_room() -> None:
    fleet: list[Worker] = []
    one, another = Worker(fleet), Worker(fleet)
    with one.feeds.feeding(FLOW):
        with another.feeds.feeding(FLOW):
            another.beat()
        another.beat()  # it wrote the shard meanwhile
        one.beat()
        assert one.feeds.sharers(FLOW) == 2
        another.beat()  # and took no other
        one.beat()
        assert one.feeds.sharers(FLOW) == 1


def test_who_is_gone_leaves_its_room() -> None:
    fleet: list[Worker] = []
    one, another = Worker(fleet), Worker(fleet)
    with one.feeds.feeding(FLOW), another.feeds.feeding(FLOW):
        one.beat()
        assert one.feeds.sharers(FLOW) == 2
        fleet.remove(another)
        one.beat()
        assert one.feeds.sharers(FLOW) == 1


def test_two_shards_of_one_process_are_two() -> None:
    fleet: list[Worker] = []
    one, another = Worker(fleet), Worker(fleet)
    with one.feeds.feeding(FLOW), one.feeds.feeding(FLOW):
        assert one.feeds.sharers(FLOW) == 2
        with another.feeds.feeding(FLOW):
            assert another.feeds.sharers(FLOW) == 3


def test_a_redis_that_is_away_breaks_the_step_off() -> None:
    def away() -> None:
        raise Unavailable("away")

    feeds = Feeds(away)
    with pytest.raises(Unavailable), feeds.feeding(FLOW):
        raise AssertionError("it was not to begin")
    assert feeds.feeds() == [FLOW], "until the next beat"
    assert feeds.feeds() == []
