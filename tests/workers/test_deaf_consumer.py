"""A consumer that hears no tickets, by the clock."""

from __future__ import annotations

import pytest

from wherry.jobs.group import Group
from wherry.telemetry.worker_metrics import REGISTRY
from wherry.workers.deaf_consumer import Consuming

GROUP = Group("text", "embedding", "1")


class Watched:
    """A watch of 10 s patience, and what it did."""

    def __init__(self, threads: int = 2) -> None:
        self.now_s = 100.0
        self.did: list[str] = []
        self.consuming = Consuming(
            threads=threads,
            patience_s=10,
            families=lambda: {"text"},
            probe=lambda groups: self.did.append("probe"),
            restart=lambda: self.did.append("restart"),
            end=lambda reason: self.did.append("end"),
            clock=lambda: self.now_s,
        )

    def look(self, *groups: Group, for_s: float = 0.0) -> None:
        """Look twice a second."""
        until = self.now_s + for_s
        while True:
            self.consuming.look(groups)
            if self.now_s >= until:
                return
            self.now_s += 0.5


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_silence_while_jobs_wait_restarts_the_consumer_after_a_probe(watched: Watched) -> None:
    watched.look(GROUP, for_s=9.5)
    assert watched.did == ["probe"]
    restarts = REGISTRY.get_sample_value("wherry_consumer_restarts_total")
    watched.look(GROUP, for_s=1)
    assert watched.did == ["probe", "restart"]
    assert REGISTRY.get_sample_value("wherry_consumer_restarts_total") == (restarts or 0) + 1


def test_restarts_in_vain_end_the_process(watched: Watched) -> None:
    watched.look(GROUP, for_s=31.5)
    assert watched.did == ["probe", "restart"] * 2 + ["probe", "end", "restart"]


def test_a_ticket_shows_that_it_hears(watched: Watched) -> None:
    for _ in range(10):
        watched.look(GROUP, for_s=4)
        with watched.consuming.serving():
            pass
    assert not watched.did


def test_a_restart_that_helped_is_forgotten(watched: Watched) -> None:
    for _ in range(5):
        watched.look(GROUP, for_s=10.5)
        with watched.consuming.serving():
            pass
    assert watched.did == ["probe", "restart"] * 5


def test_no_job_of_ours_waits_no_alarm(watched: Watched) -> None:
    watched.look(for_s=60)
    assert not watched.did


def test_no_free_thread_no_alarm(watched: Watched) -> None:
    with watched.consuming.serving(), watched.consuming.serving():
        watched.look(GROUP, for_s=60)
    assert not watched.did
    watched.look(GROUP, for_s=9.5)
    assert watched.did == ["probe"], "it counts from when a thread came free"


def test_a_thread_that_hangs_does_not_hide_that_the_others_hear_nothing(watched: Watched) -> None:
    with watched.consuming.serving():
        watched.look(GROUP, for_s=10.5)
    assert watched.did == ["probe", "restart"]


def test_a_redis_that_was_away_is_no_silence(watched: Watched) -> None:
    watched.look(GROUP, for_s=4)
    watched.now_s += 20
    watched.consuming.forget()
    watched.look(GROUP, for_s=4)
    assert not watched.did
