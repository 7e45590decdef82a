"""Models that cannot be loaded: the fleet knows, their jobs are refused, a load tries again."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from wherry.jobs.call import Queue
from wherry.jobs.claim import claim
from wherry.jobs.declared import leaving, set_load_config
from wherry.jobs.failed import ALL, ask_load
from wherry.jobs.fleet import FleetView, heartbeat, set_loaded, view
from wherry.jobs.group import Group
from wherry.jobs.keys import Keys
from wherry.jobs.record import NewJob
from wherry.jobs.recover import cancel, reap
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.protocol.errors import ModelFailed, ModelNotFound
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import Catalog, ModelDeclaration
from wherry.workers.changes import Changes
from wherry.workers.failures import Failures, counted, failed_everywhere
from wherry.workers.identity import Identity
from wherry.workers.models import Models

from ..support.waiting import until

BAD: dict[str, object] = {"no_such_thing": 1}
GOOD: dict[str, object] = {}
GROUP = Group("text", "bad", "1")


def declared(name: str, parameters: dict[str, object]) -> ModelDeclaration:
    return ModelDeclaration(name=name, task="embedding", backend="stub", parameters=parameters)


class Place:
    """A worker's models and what it tells of them, without its threads."""

    def __init__(
        self, queue: Queue, settings: JobsSettings, *declarations: ModelDeclaration
    ) -> None:
        self.queue, self.settings = queue, settings
        #: What models.toml says, now.
        self.file = list(declarations) or [declared("bad", BAD), declared("good", GOOD)]
        self.models = Models(Catalog(self.file), {"text"}, Device())
        self.beats = threading.Semaphore(0)
        self.failures = Failures(self.models, queue, settings, beat=self._beat)
        self.changes = Changes(
            self.models,
            queue,
            settings,
            declared=lambda: Catalog(self.file),
            announce=self.failures.announce,
        )
        self.changes.start()

    def _beat(self) -> None:
        self.tell()
        self.beats.release()

    def tell(self, worker: str = "me", **info: object) -> None:
        served = [model.group_model_id for model in self.models]
        told = {"served": served, **self.failures.info(), **self.changes.info(), **info}
        self.queue.run(heartbeat(worker, told, self.settings))

    def look(self) -> FleetView:
        fleet = self.queue.run(view(self.settings))
        self.failures.look(fleet)
        self.changes.look(fleet)
        return self.queue.run(view(self.settings))

    def submit(self, group: Group = GROUP) -> str:
        job = NewJob(
            id=f"job-{group.model}-{self.queue.redis.incr('jobs')}",
            task="embedding",
            group=group,
            payload=b"{}",
            header_length=2,
            fingerprint="f",
        )
        return self.queue.run(submit(job, self.settings)).id

    def claimed(self) -> list[str]:
        budgets = self.models.batch_budgets(1 << 20)
        batch = self.queue.run(claim(GROUP, "me", budgets, self.settings))
        return [job.id for job in batch.jobs]


@pytest.fixture
def place(redis_url: str) -> Iterator[Place]:
    queue = Queue(redis_url)
    place = Place(queue, JobsSettings(redis_url=redis_url))
    yield place
    until(lambda: not place.changes.is_loading)
    place.models.close()
    queue.close()


def test_a_model_that_fails_leaves_the_others_and_says_why(place: Place) -> None:
    place.models.load_all()
    assert [model.declaration.name for model in place.models] == ["good"]
    assert "no_such_thing" in place.models.failed["bad/1"]
    with pytest.raises(ModelFailed, match="model 'bad' could not be loaded: .*no_such_thing"):
        place.models.get("bad", "1")
    with pytest.raises(ModelNotFound):
        place.models.get("other", "1")


def test_strict_models_are_all_or_none(place: Place) -> None:
    with pytest.raises(ModelFailed, match="no_such_thing"):
        place.models.load_all(strict=True)


def test_jobs_are_refused_once_no_worker_can_serve_the_model(place: Place) -> None:
    waiting = place.submit()
    place.models.load_all()
    place.tell()
    fleet = place.look()
    assert list(fleet.failed) == ["bad/1"]
    with pytest.raises(ModelFailed, match="model 'bad' could not be loaded: .*no_such_thing"):
        place.submit()
    place.submit(Group("text", "good", "1"))
    assert place.claimed() == [waiting]  # and then ended, with the reason


@pytest.mark.parametrize("elsewhere", ["served", "loading"])
def test_a_model_that_another_worker_serves_or_loads_is_not_failed(
    place: Place, elsewhere: str
) -> None:
    place.models.load_all()
    place.tell()
    place.tell("other", **{"failed": {}, "served": [], "loading": [], elsewhere: ["bad/1"]})
    assert not place.look().failed
    place.submit()
    assert place.claimed() == []  # they are the other's
    place.queue.redis.delete(Keys(place.settings.key_prefix).alive("other"))
    assert place.look().failed


def test_a_worker_of_an_older_version_serves_what_it_names(place: Place) -> None:
    place.models.load_all()
    place.tell()
    place.queue.run(heartbeat("older", {"models": ["bad"], "families": ["text"]}, place.settings))
    assert not place.look().failed


def test_a_worker_that_refuses_a_model_does_not_serve_it(place: Place) -> None:
    place.models.load_all()
    place.tell()
    # As one with another store or another task for the model says it: loaded, and not served.
    place.tell("other", models=["bad"], served=[], failed={}, loading=[])
    assert list(place.look().failed) == ["bad/1"]


def test_a_failure_is_forgotten_with_the_workers_that_tell_of_it(place: Place) -> None:
    place.models.load_all()
    place.tell()
    place.look()
    ttl_ms = place.queue.redis.pttl(Keys(place.settings.key_prefix).failed)
    assert 0 < ttl_ms <= place.settings.lease_ttl_s * 1000


def test_a_load_tries_again_what_models_toml_says_now(place: Place) -> None:
    place.models.load_all()
    place.tell()
    place.look()
    place.file[0] = declared("bad", GOOD)
    place.queue.run(ask_load("bad", place.settings))
    place.look()
    assert place.beats.acquire(timeout=10)
    assert place.models.failed == {}
    assert place.look().failed == {}
    place.submit()
    assert place.models.get("bad", "1")


def test_a_load_that_fails_again_says_why_it_does_now(place: Place) -> None:
    place.models.load_all()
    place.file[0] = declared("bad", {"another_thing": 1})
    asked = place.queue.run(ask_load("bad", place.settings))
    place.look()
    assert place.beats.acquire(timeout=10)
    assert "another_thing" in place.models.failed["bad/1"]
    assert place.changes.info()["load_heeded"] == {ALL: 0, "bad": asked}
    until(lambda: not place.changes.is_loading)
    place.look()
    assert not place.changes.is_loading  # heeded: not once more


def test_what_was_asked_before_the_start_is_not_tried_again(place: Place) -> None:
    place.queue.run(ask_load("bad", place.settings))
    place.changes.start()
    place.models.load_all()
    place.look()
    assert place.changes._loading is None


def test_a_model_that_ended_its_process_twice_is_refused_once(place: Place) -> None:
    dead = []

    def load(*, dies: bool = False) -> None:
        around = counted("text-0@host", place.queue, place.settings, "bad/1")
        around.__enter__()
        if dies:
            dead.append(around)  # never to end
        else:
            around.__exit__(None, None, None)

    load(dies=True)
    load()  # an end that is noted clears the count
    load(dies=True)
    load(dies=True)
    with pytest.raises(ModelRefused, match="died 2 times while it loaded"):
        load()
    load()


def test_a_fleet_of_older_workers_has_no_failures(place: Place) -> None:
    place.queue.run(heartbeat("old", {"models": ["bad"]}, place.settings))
    assert failed_everywhere(place.queue.run(view(place.settings))) == {}


def test_a_worker_that_died_while_it_loaded_is_not_waited_for(place: Place) -> None:
    place.models.load_all()
    place.tell()
    child = subprocess.Popen([sys.executable, "-c", ""])
    # Not waited for yet: its number is no other process's.
    dead = {**Identity.mine("other").info(), "pid": child.pid, "started": "1"}
    place.tell("other", **dead, failed={}, served=[], loading=["bad/1"])
    assert place.look().failed
    child.wait()


def test_a_worker_that_starts_loads_nothing_that_is_unloaded(place: Place) -> None:
    place.queue.run(set_loaded("good", place.settings, loaded=False))
    place.changes.start()
    place.models.load_all()
    assert list(place.models) == []
    assert place.models.asleep == {"good/1"}
    place.queue.run(set_loaded("good", place.settings, loaded=True))
    place.look()
    until(lambda: [model.group_model_id for model in place.models] == ["good/1"])


def test_a_load_says_otherwise_how_a_model_is_run(place: Place) -> None:
    place.models.load_all()
    config = '{"max_batch_size": 3, "parameters": {"delay_s": 0}}'
    place.queue.run(set_load_config("good", config, place.settings))
    place.queue.run(ask_load("good", place.settings))
    place.look()
    until(lambda: place.models.get("good", "1").declaration.max_batch_size == 3)
    assert place.models.get("good", "1").declaration.parameters == {"delay_s": 0}
    again = Place(place.queue, place.settings)  # a worker that starts anew
    again.models.load_all()
    assert again.models.get("good", "1").declaration.max_batch_size == 3
    again.models.close()


def test_a_worker_that_starts_anew_still_answers_jobs_of_a_model_that_was_leaving(
    place: Place,
) -> None:
    place.models.load_all()
    waiting = place.submit(Group("text", "good", "1"))
    place.file[:] = [declared("other", GOOD)]
    place.queue.run(ask_load(ALL, place.settings))
    place.look()
    until(lambda: place.models.get("other", "1") and not place.changes.is_loading)
    assert place.models.leaving == {"bad/1", "good/1"}
    again = Place(place.queue, place.settings, *place.file)
    again.models.load_all()
    assert again.models.asleep == {"bad/1", "good/1"}
    again.changes.want("good/1")
    until(lambda: not again.changes.is_loading)
    budgets = again.models.batch_budgets(1 << 20)
    batch = place.queue.run(claim(Group("text", "good", "1"), "again", budgets, place.settings))
    assert [job.id for job in batch.jobs] == [waiting]
    again.look()
    assert {model.group_model_id for model in again.models} == {"other/1", "good/1"}  # it runs
    place.queue.run(reap("again", place.settings, gone=True))
    place.queue.run(cancel(waiting, place.settings))
    again.look()
    assert {model.group_model_id for model in again.models} == {"other/1"}
    again.models.close()
    assert "good/1" not in place.queue.run(leaving(place.settings))
