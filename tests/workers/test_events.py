"""Events of jobs, as Celery's tools read them from the broker."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from wherry.jobs.finish import Finished
from wherry.jobs.group import Group
from wherry.jobs.record import ClaimedJob, Outcome
from wherry.workers import events as events_module
from wherry.workers import transport
from wherry.workers.events import JobEvents


def jobs(*names: str, attempt: int = 1) -> list[ClaimedJob]:
    return [
        ClaimedJob(
            id=name,
            group=Group("text", "embedding", "1"),
            attempt=attempt,
            rows=3,
            header_length=0,
            payload_key="",
            payload_ref="",
            created_at_ms=1_700_000_000_500,
        )
        for name in names
    ]


def ended(*names: str) -> Finished:
    return Finished(frozenset(names), frozenset())


class Watcher:
    """What Flower is built on: Celery's receiver, and its picture of the tasks."""

    def __init__(self, app: Celery) -> None:
        self.app, self.state = app, app.events.State()
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Watcher:
        self._connection = self.app.connection_for_read()
        self._receiver = self.app.events.Receiver(self._connection, handlers={"*": self._hear})
        self._thread.start()
        with self.app.connection_for_write() as link, self.app.events.Dispatcher(link) as said:
            while self.heard.empty():  # Redis keeps nothing for who does not listen yet
                said.send("worker-online")
                time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.should_stop = True
        self._thread.join(10)
        self._connection.release()

    def _listen(self) -> None:
        self._receiver.capture(limit=None, timeout=None, wakeup=False)

    def _hear(self, event: dict[str, Any]) -> None:
        self.state.event(event)
        self.heard.put(event)

    def wait_for(self, count: int) -> list[str]:
        """The types of the next events of tasks."""
        types: list[str] = []
        while len(types) < count:
            event = self.heard.get(timeout=10)
            if event["type"].startswith("task-"):
                types.append(event["type"])
        return types


@pytest.fixture
def app(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setattr("kombu.transport._transport_cache", {})  # another test's is kombu's own
    transport.install()
    app = Celery("events", broker=redis_url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def watcher(app: Celery) -> Iterator[Watcher]:
    with Watcher(app) as watcher:
        yield watcher


@pytest.fixture
def sent(app: Celery) -> Iterator[JobEvents]:
    sent = JobEvents(app, "text-0@here")
    sent.start()
    yield sent
    sent.stop()


def test_a_job_is_a_task_that_was_received_started_and_succeeded(
    sent: JobEvents, watcher: Watcher
) -> None:
    sent.claimed("embedding.minilm", jobs("a", attempt=2))
    sent.finished([Outcome(id="a", attempt=2)], ended("a"), 0.25)
    assert watcher.wait_for(3) == ["task-received", "task-started", "task-succeeded"]
    task = watcher.state.tasks["a"]
    assert (task.name, task.state, task.args) == ("embedding.minilm", "SUCCESS", "rows=3")
    assert (task.retries, task.runtime, task.worker.hostname) == (1, 0.25, "text-0@here")
    assert task.received == 1_700_000_000.5, "when it was submitted, not when it was claimed"
    assert task.started > task.received


def test_one_that_failed_says_why(sent: JobEvents, watcher: Watcher) -> None:
    failed = Outcome(id="a", attempt=1, error_type="invalid_row", error="it's no text")
    sent.claimed("embedding.minilm", jobs("a"))
    sent.finished([failed], ended("a"), 0.25)
    watcher.wait_for(3)
    task = watcher.state.tasks["a"]
    assert task.state == "FAILURE"
    assert task.exception == repr("invalid_row: it's no text")
    assert task.traceback == "invalid_row: it's no text"


def test_a_stop_sends_what_waits(sent: JobEvents, watcher: Watcher) -> None:
    names = [f"job-{number}" for number in range(300)]
    sent.claimed("embedding.minilm", jobs(*names))
    sent.finished([Outcome(id=name, attempt=1) for name in names], ended(*names), 0.1)
    sent.stop()
    watcher.wait_for(900)
    assert {watcher.state.tasks[name].state for name in names} == {"SUCCESS"}


def published(app: Celery) -> int:
    """How many messages Redis was given to broadcast."""
    with app.connection_for_read() as connection:
        client: Any = connection.default_channel.client  # kombu ships no types
        return int(client.info("commandstats").get("cmdstat_publish", {"calls": 0})["calls"])


def work(sent: JobEvents, name: str) -> None:
    sent.claimed("embedding.minilm", jobs(name))
    sent.finished([Outcome(id=name, attempt=1)], ended(name), 0.1)


def asked(sent: JobEvents) -> None:
    """Wait until the sender has asked who listens."""
    deadline = time.monotonic() + 10
    while sent._look_at < 0 or sent._waiting.qsize():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_while_nobody_listens_nothing_is_made_or_sent(app: Celery, sent: JobEvents) -> None:
    work(sent, "first")
    asked(sent)
    before = published(app)
    for number in range(1000):
        work(sent, f"job-{number}")
    asked(sent)
    assert published(app) - before < 20


def test_who_comes_late_hears_of_jobs_from_then_on(app: Celery, sent: JobEvents) -> None:
    work(sent, "before")
    asked(sent)
    with Watcher(app) as watcher:
        sent._look_at = 0.0  # a second is over
        work(sent, "then")
        assert watcher.wait_for(3) == ["task-received", "task-started", "task-succeeded"]
        assert set(watcher.state.tasks) == {"then"}
        assert sent._heard
        work(sent, "and")
        watcher.wait_for(3)


def test_who_goes_is_noticed_by_the_next_message(app: Celery, sent: JobEvents) -> None:
    with Watcher(app) as watcher:
        work(sent, "heard")
        watcher.wait_for(3)
    deadline = time.monotonic() + 10
    while sent._heard:  # Redis may hear of it later than we do
        assert time.monotonic() < deadline
        work(sent, "unheard")
        time.sleep(0.01)


def test_events_go_in_company_but_wait_for_it_shortly(app: Celery) -> None:
    waiting = JobEvents(app, "n")
    waiting.claimed("t.m", jobs(*map(str, range(200))))
    first, last = waiting._gather()
    assert (len(first), last) == (256, False)
    second, last = waiting._gather()
    assert (len(second), last) == (144, False)


def test_more_than_can_wait_is_dropped_and_told_of_once(
    app: Celery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events_module, "_MAX_WAITING", 4)
    waiting = JobEvents(app, "n")
    with caplog.at_level(logging.WARNING):
        waiting.claimed("t.m", jobs("a", "b", "c", "d"))
        waiting.finished([Outcome(id="a", attempt=1)], ended("a"), 0.1)
        assert len(caplog.records) == 1
        assert [event.fields["uuid"] for event in waiting._gather()[0]] == ["a", "a", "b", "b"]
        waiting.claimed("t.m", jobs("e", "f", "g"))
        assert len(caplog.records) == 2, "another time is told of too"


def test_a_broker_that_is_away_is_told_of_once_and_keeps_no_worker_from_its_end(
    app: Celery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = threading.Semaphore(0)

    def away() -> None:
        tries.release()
        raise ConnectionError

    monkeypatch.setattr(app, "connection_for_write", away)
    monkeypatch.setattr(events_module, "_RETRY_S", 0.001)
    waiting = JobEvents(app, "n")
    with caplog.at_level(logging.WARNING):
        waiting.start()
        for _ in range(3):
            assert tries.acquire(timeout=10)
        waiting.claimed("t.m", jobs("a"))
        waiting.stop()
    assert not waiting._thread.is_alive()
    assert [record.getMessage() for record in caplog.records] == [
        "events are not sent: ConnectionError"
    ]


class Heard(JobEvents):
    """Events that are kept, not sent."""

    def __init__(self) -> None:
        super().__init__(Celery(), "node")
        self.heard: list[tuple[str, str]] = []

    def _put(self, event: Any) -> None:
        self.heard.append((event.type, event.fields["uuid"]))


@pytest.mark.parametrize(
    ("outcome", "accepted", "canceled", "heard"),
    [
        (Outcome(id="a", attempt=1, result=b"{}"), {"a"}, set(), ["task-succeeded"]),
        (Outcome(id="a", attempt=1, error_type="e", error="no"), {"a"}, set(), ["task-failed"]),
        (Outcome(id="a", attempt=1, result=b"{}"), {"a"}, {"a"}, ["task-revoked"]),
        (Outcome(id="a", attempt=1, error_type="e", error="no"), {"a"}, {"a"}, ["task-revoked"]),
        (Outcome(id="a", attempt=1, result=b"{}"), set(), set(), []),
    ],
)
def test_a_jobs_end_is_told_as_it_was_written_down(
    outcome: Outcome, accepted: set[str], canceled: set[str], heard: list[str]
) -> None:
    events = Heard()
    events.finished([outcome], Finished(frozenset(accepted), frozenset(canceled)), 0.1)
    assert events.heard == [(kind, "a") for kind in heard]
