"""A worker's process from warm-up to goodbye, in the order that keeps every promise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.facts import read_facts
from wherry.jobs.keys import Keys
from wherry.protocol.errors import JobNotFound, ModelFailed, Unavailable
from wherry.workers.models import Models

from .conftest import GROUP, Process


def state(process: Process) -> object:
    [worker] = process.seen()
    return worker.info["state"]


def test_the_fleet_hears_of_it_before_its_models_load_and_once_it_is_ready(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_all, states = Models.load_all, list[object]()

    def loading(models: Models, *, strict: bool, told: Callable[[], None]) -> None:
        states.append(state(process))
        load_all(models, strict=strict, told=told)

    monkeypatch.setattr(Models, "load_all", loading)
    process.worker.start()
    states.append(state(process))
    process.worker.drain()
    process.worker._lease.beat()
    states.append(state(process))
    assert states == ["loading", "ready", "draining"]


def test_it_says_before_each_model_what_is_left_to_load(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat, left = process.worker._lease.beat, list[list[str]]()

    def told() -> None:
        beat()
        [worker] = process.seen()
        loading: Any = worker.info["loading"]
        left.append(loading)

    monkeypatch.setattr(process.worker._lease, "beat", told)
    process.worker.start()
    models = left[0]
    assert GROUP.model_id in models
    for number in range(len(models)):
        assert models[number:] in left
    assert left[-1] == []


def test_it_says_what_it_serves_and_what_it_cannot(process: Process) -> None:
    process.worker.start()
    [worker] = process.seen()
    assert worker.alive
    assert worker.info["families"] == ["text"]
    assert worker.info["served"] == [GROUP.model_id]
    assert list(worker.failed) == ["bad/1"]
    assert "no_such_thing" in worker.failed["bad/1"]


def test_what_its_models_turned_out_to_be_is_known_as_soon_as_it_is_ready(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = list[object]()
    monkeypatch.setattr(
        process.worker._failures,
        "announce",
        lambda: known.append(process.queue.run(read_facts(process.jobs))),
    )
    process.worker.start()
    assert [[*facts] for facts in known if isinstance(facts, dict)] == [[GROUP.model_id]]


def test_one_that_is_strict_does_not_start_without_all_its_models(process: Process) -> None:
    strict = process.made(strict_models=True)
    with pytest.raises(ModelFailed, match="no_such_thing"):
        strict.start()
    strict.stop()
    assert process.seen() == []


def test_what_a_stopped_worker_still_held_goes_to_others_at_once(process: Process) -> None:
    process.worker.start()
    process.submit("a")
    budgets = {GROUP.model_id: BatchBudget()}
    process.queue.run(claim(GROUP, process.worker._id, budgets, process.jobs))
    process.worker.stop()
    assert process.states("a") == ["queued"]
    assert process.seen() == []
    assert not process.queue.redis.exists(Keys(process.jobs.key_prefix).alive(process.worker._id))


def test_it_beats_no_more_when_it_says_goodbye_and_lets_go_of_its_models_last(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.worker.start()
    worker: Any = process.worker
    threads = [worker._sweeping, worker._belonging, worker._keeper, worker._lease]
    steps, run, close = list[str](), worker._queue.run, worker._models.close

    def running(call: Any) -> Any:
        name = call.script.name if call.script else ""
        if name == "reap":
            assert not any(each._thread.is_alive() for each in threads), "one may still write"
            steps.append("goodbye")
        return run(call)

    def closing() -> None:
        steps.append("models")
        close()

    monkeypatch.setattr(worker._queue, "run", running)
    monkeypatch.setattr(worker._models, "close", closing)
    process.worker.stop()
    assert steps == ["goodbye", "models"]
    assert process.worker.serve(GROUP) == 0, "a ticket that comes late is for others"


def test_a_redis_that_is_away_keeps_no_worker_from_its_end(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: object) -> None:
        raise Unavailable("Redis is away")

    process.worker.start()
    closed: list[str] = []
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(process.worker._queue, "run", away)
        patch.setattr(process.worker._models, "close", lambda: closed.append("models"))
        process.worker.stop()
    assert closed == ["models"]
    assert "left without a goodbye (Redis is away); the lease will run out" in caplog.text


def test_one_that_never_began_can_be_stopped(process: Process) -> None:
    """It was told to end while it loaded."""
    process.worker.stop()
    assert process.seen() == []


def test_jobs_that_a_lost_reply_left_here_go_back_as_they_were(process: Process) -> None:
    process.submit("a")
    budgets = {GROUP.model_id: BatchBudget()}
    process.queue.run(claim(GROUP, process.worker._id, budgets, process.jobs))
    for _ in range(2):
        process.worker._lease._tick()
    record = process.record("a")
    assert (record.status.value, record.attempt) == ("queued", 0)


def test_with_another_store_it_waits_and_says_why(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.worker.start()
    monkeypatch.setattr(process.worker._belonging, "_wrong_store", "it is another")
    process.worker._lease.beat()
    [worker] = process.seen()
    assert (worker.info["served"], worker.why_waiting) == ([], "it is another")


def test_while_it_tunes_it_says_so(process: Process) -> None:
    process.worker._tuner.doing = "tuning a: trying onnxruntime float32"
    process.worker._lease.beat()
    [worker] = process.seen()
    assert (worker.info["state"], worker.why_waiting) == ("loading", process.worker._tuner.doing)


def test_it_cancels_a_job_of_any_workers(process: Process) -> None:
    process.submit("a")
    assert process.worker.cancel("a") == "queued"
    assert process.states("a") == ["canceled"]
    with pytest.raises(JobNotFound):
        process.worker.cancel("nobody")
