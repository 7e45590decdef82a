"""From a ticket to a finished batch, whatever comes between."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.fleet import view
from wherry.jobs.read import result
from wherry.jobs.recover import reap
from wherry.protocol.errors import Unavailable
from wherry.workers import serving as serving_module
from wherry.workers.batch import run_batch

from .conftest import BAD, GROUP, Process


@pytest.fixture
def ready(process: Process, monkeypatch: pytest.MonkeyPatch) -> Process:
    """Its models are loaded; no thread of its own runs."""
    process.worker._models.load_all()
    monkeypatch.setattr(serving_module, "_RETRY_S", 0.0)
    monkeypatch.setattr(serving_module, "_PASS_ON_S", 0.0)
    return process


def test_a_ticket_runs_the_batch_that_is_due_and_its_end_is_told(ready: Process) -> None:
    ready.submit("a", "b", "c")
    assert ready.worker.serve(GROUP) == 3
    assert ready.states("a", "b", "c") == ["succeeded"] * 3
    assert ready.worker.serve(GROUP) == 0, "nothing is left"


def test_a_batch_holds_what_the_model_takes_and_leaves_a_ticket_for_the_rest(
    ready: Process,
) -> None:
    ready.submit(*"abcdef")
    ready.queue.redis.delete(GROUP.queue_key)  # Celery took the ticket
    assert ready.worker.serve(GROUP) == 4
    assert ready.tickets() == 1
    assert ready.worker.serve(GROUP) == 2


def test_jobs_of_a_model_that_failed_end_with_its_reason(ready: Process) -> None:
    ready.submit("a", group=BAD)
    assert ready.worker.serve(BAD) == 0, "another worker may have it"
    ready.worker._lease.beat()
    ready.worker._failures.look(ready.queue.run(view(ready.jobs)))
    assert ready.worker.serve(BAD) == 1
    record = ready.record("a")
    assert (record.status.value, record.error_type) == ("failed", "model_failed")
    assert "no_such_thing" in record.error


def test_a_batch_that_breaks_by_our_fault_ends_each_of_its_jobs(
    ready: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    ready.submit("a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(serving_module, "run_batch", broken)
        assert ready.worker.serve(GROUP) == 2
    assert ready.states("a", "b") == ["failed"] * 2
    assert ready.record("a").error == "the worker raised RuntimeError"
    ready.submit("c")
    assert ready.worker.serve(GROUP) == 1
    assert ready.states("c") == ["succeeded"]


def test_a_worker_that_drains_takes_nothing_and_gives_back_what_it_just_took(
    ready: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.submit("a")
    ready.submit("b", group=replace(GROUP, tenant="bob"))
    serving: Any = ready.worker._serving
    take = serving._claim

    def claimed_too_late(hint: object) -> object:
        taken = take(hint)
        ready.worker.drain()
        return taken

    monkeypatch.setattr(serving, "_claim", claimed_too_late)
    assert ready.worker.serve(GROUP) == 0
    assert [(ready.record(i).status.value, ready.record(i).attempt) for i in "ab"] == [
        ("queued", 0)
    ] * 2, "the attempt does not count"
    assert ready.worker.serve(GROUP) == 0
    assert ready.states("a", "b") == ["queued"] * 2


@pytest.mark.parametrize("drains", [False, True])
def test_a_finished_batch_waits_for_redis_unless_the_worker_must_end(
    ready: Process,
    drains: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0
    queue = ready.worker._queue
    run: Callable[[Any], Any] = queue.run

    def away_at_first(call: Any) -> Any:
        nonlocal tries
        if call.script is not None and call.script.name == "finish":
            tries += 1
            if drains:
                ready.worker.drain()
            if drains or tries < 4:
                raise Unavailable("Redis is away")
        return run(call)

    ready.submit("a")
    monkeypatch.setattr(queue, "run", away_at_first)
    with caplog.at_level(logging.WARNING):
        if drains:
            with pytest.raises(Unavailable):
                ready.worker.serve(GROUP)
            assert ready.states("a") == ["running"], "the goodbye gives it to another"
        else:
            assert ready.worker.serve(GROUP) == 1
            assert (tries, ready.states("a")) == (4, ["succeeded"])
    assert [record.getMessage() for record in caplog.records] == ["finish waits: Redis is away"]


def test_an_answer_that_comes_after_another_took_the_job_over_is_dropped(
    ready: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    def slow(*args: Any) -> Any:
        ready.queue.run(reap(ready.worker._id, ready.jobs, gone=True))
        return run_batch(*args)

    monkeypatch.setattr(serving_module, "run_batch", slow)
    ready.submit("a")
    with caplog.at_level(logging.WARNING):
        ready.worker.serve(GROUP)
    assert ready.states("a") == ["queued"]
    assert "1 late answers were dropped" in caplog.text


def test_with_another_store_the_ticket_goes_to_another_worker(
    ready: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.submit("a")
    ready.queue.redis.delete(GROUP.queue_key)
    monkeypatch.setattr(ready.worker._belonging, "_wrong_store", "it is another")
    assert ready.worker.serve(GROUP) == 0
    assert (ready.states("a"), ready.tickets()) == (["queued"], 1)


def test_a_ticket_of_models_that_it_has_not_goes_to_another_worker(
    ready: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.submit("a")
    ready.queue.redis.delete(GROUP.queue_key)
    monkeypatch.setattr(ready.worker._belonging, "refused", {GROUP.model_id: "another task"})
    assert ready.worker.serve(GROUP) == 0
    assert (ready.states("a"), ready.tickets()) == (["queued"], 1)


def test_a_batch_that_is_not_full_waits_for_company_while_the_device_computes(
    ready: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, served = threading.Event(), list[int]()
    serving: Any = ready.worker._serving
    wait_for_turn = ready.device.wait_for_turn

    def waiting(turn: int, timeout_s: float) -> None:
        waits.set()
        wait_for_turn(turn, timeout_s)

    monkeypatch.setattr(ready.device, "wait_for_turn", waiting)
    ready.submit("a")
    with ready.device.compute():
        thread = threading.Thread(target=lambda: served.append(serving.serve(GROUP)))
        thread.start()
        assert waits.wait(10)
        assert ready.states("a") == ["queued"]
        ready.submit("b", "c", "d")
        while ready.states("d") == ["queued"]:  # the fourth fills it: it waits no more
            assert thread.is_alive()
    thread.join(10)
    assert served == [4]


def test_a_batch_of_several_tenants_answers_each_under_its_own_id(
    ready: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bulk = replace(GROUP, tenant="ann"), replace(GROUP, tenant="bob", priority=9)
    ready.submit("ann:a", group=ann)
    ready.submit("bob:a", group=bulk)
    ready.submit("a")
    flows = {"1/-": 20, "1/ann": 10, "2/bob": 0}
    ready.queue.redis.zadd("wherry:flows:text", flows)
    ranks: list[int] = []
    ranked = ready.device.ranked

    def noted(rank: int) -> AbstractContextManager[None]:
        ranks.append(rank)
        return ranked(rank)

    monkeypatch.setattr(ready.device, "ranked", noted)
    assert ready.worker.serve(bulk) == 3
    stored = [ready.queue.run(result(i, ready.jobs)) for i in ("ann:a", "bob:a", "a")]
    assert [json.loads(each.body)["id"] for each in stored if each] == ["a"] * 3
    assert ranks == [0], "somebody waits for some of it"
    for group in (ann, bulk, GROUP):
        state = ready.queue.redis.hgetall(f"wherry:group:{group.id}")
        counted = {name: int(state[name]) for name in (b"running", b"rows", b"capacity")}
        assert counted == {b"running": 0, b"rows": 1, b"capacity": 1}, "a part of 3 rows of 4"


def test_jobs_that_another_worker_claimed_first_are_not_run_again(ready: Process) -> None:
    ready.submit("a")
    ready.queue.run(claim(GROUP, "other", {GROUP.model_id: BatchBudget()}, ready.jobs))
    assert ready.worker.serve(GROUP) == 0
