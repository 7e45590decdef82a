"""An operator drains a worker: it claims no more until it is told otherwise, or ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.drain import ask_drain, drain_asked, undrain
from wherry.jobs.keys import Keys
from wherry.jobs.settings import JobsSettings
from wherry.workers.cordon import Cordon
from wherry.workers.identity import Identity

from .conftest import GROUP, Process

NODE = "text-0@here"


class Bench:
    """A worker's ear for its operator, and what it did."""

    def __init__(self, url: str) -> None:
        self.queue, self.settings = Queue(url), JobsSettings(redis_url=url)
        self.idle, self.ended, self.changes = True, 0, 0
        self.cordon, self.id = self.made()

    def made(self) -> tuple[Cordon, str]:
        def end() -> None:
            self.ended += 1

        def changed() -> None:
            self.changes += 1

        who = Identity.mine(NODE)
        cordon = Cordon(
            who, self.queue, self.settings, idle=lambda: self.idle, changed=changed, end=end
        )
        return cordon, who.id

    def ask(self, ends: str = "") -> None:
        self.queue.run(ask_drain(NODE, self.settings, ends=ends))

    @property
    def asked(self) -> bool:
        return self.queue.run(drain_asked(NODE, self.settings)) is not None


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    bench = Bench(redis_url)
    yield bench
    bench.queue.close()


def test_it_is_heeded_and_taken_back(bench: Bench) -> None:
    bench.cordon.look()
    assert (bench.cordon.on, bench.cordon.reason) == (False, "")
    bench.ask()
    bench.cordon.look()
    bench.cordon.look()
    assert bench.cordon.on
    assert f"wherry undrain {NODE}" in bench.cordon.reason
    bench.queue.run(undrain(NODE, bench.settings))
    bench.cordon.look()
    assert (bench.cordon.on, bench.changes, bench.ended) == (False, 2, 0)


def test_who_is_started_again_under_the_name_is_drained_too(bench: Bench) -> None:
    bench.ask()
    bench.cordon.look()
    later, _ = bench.made()
    later.look()
    assert later.on


def test_the_word_lasts_as_long_as_its_worker_and_not_for_ever(bench: Bench) -> None:
    key = Keys(bench.settings.key_prefix).drain(NODE)
    bench.ask()
    bench.queue.redis.expire(key, 10)
    bench.cordon.look()
    left = bench.queue.redis.ttl(key)
    assert isinstance(left, int)
    assert left > 3600


def test_one_that_is_to_end_ends_once_when_nothing_runs(bench: Bench) -> None:
    bench.idle = False
    bench.ask(bench.id)
    bench.cordon.look()
    assert (bench.cordon.on, bench.ended) == (True, 0)
    bench.idle = True
    bench.cordon.look()
    bench.cordon.look()
    assert (bench.ended, bench.asked) == (1, False), "the next one of the name serves"


def test_a_word_to_the_process_before_is_not_for_the_next(bench: Bench) -> None:
    bench.ask(bench.id)
    later, _ = bench.made()
    later.look()
    assert (later.on, bench.ended) == (False, 0)


def test_one_of_two_that_bear_a_name_ends_whichever_looks_first(bench: Bench) -> None:
    other, _ = bench.made()
    bench.ask(bench.id)
    other.look()
    bench.cordon.look()
    assert (other.on, bench.cordon.on, bench.ended, bench.asked) == (False, True, 1, False)


def test_a_drained_worker_leaves_jobs_to_others_and_says_so(process: Process) -> None:
    process.worker.start()
    process.queue.run(ask_drain(NODE, process.jobs))
    process.worker._cordon.look()
    process.submit("a")
    assert process.worker.serve(GROUP) == 0
    assert process.states("a") == ["queued"]
    assert process.tickets(), "the ticket is for another worker"
    [worker] = process.seen()
    assert (worker.info["state"], worker.served) == ("draining", [])
    assert "undrain" in worker.why_waiting

    process.queue.run(undrain(NODE, process.jobs))
    process.worker._cordon.look()
    assert process.worker.serve(GROUP) == 1
    assert process.states("a") == ["succeeded"]


def test_one_that_starts_drained_claims_nothing(process: Process) -> None:
    process.queue.run(ask_drain(NODE, process.jobs))
    process.submit("a")
    process.worker.start()
    assert process.worker.serve(GROUP) == 0
    [worker] = process.seen()
    assert worker.info["state"] == "draining"
