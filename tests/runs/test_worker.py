"""Run workers of two versions: who takes steps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.run_records import Step
from wherry.jobs.run_spec import RunSpec
from wherry.jobs.run_workers import beat, lose_worker, run_workers
from wherry.jobs.runs import create_run
from wherry.runs.settings import RunSettings
from wherry.runs.worker import RunWorker
from wherry.telemetry.metrics_settings import MetricsSettings


@pytest.fixture
def jobs(redis_url: str) -> JobsSettings:
    return JobsSettings(redis_url=redis_url, key_prefix="apart-versions")


def say(queue: Queue, jobs: JobsSettings, worker: str, said: dict[str, Any]) -> None:
    """Beat as a run worker of the version before does."""
    queue.redis.hset(f"{jobs.key_prefix}:runs:workers", worker, json.dumps(said))


def worker_of(jobs: JobsSettings, monkeypatch: pytest.MonkeyPatch) -> RunWorker:
    """A run worker that nothing has started: without Celery's consumer."""
    worker = RunWorker(
        "runs@here",
        jobs=jobs,
        settings=RunSettings(),
        metrics=MetricsSettings(),
        threads=1,
        consumer=lambda: None,
    )
    monkeypatch.setattr(worker._listening, "set", lambda _: None)
    return worker


def test_steps_are_left_to_a_run_worker_of_an_earlier_version_while_one_lives(
    jobs: JobsSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would break off at parts as this version writes them, and take a look for the merge."""
    done: list[str] = []
    monkeypatch.setattr(RunWorker, "_do", lambda _, step: done.append(step.name))
    queue = Queue(jobs.redis_url)
    spec = RunSpec(id="run_1", source="/data", model="m", created_at_ms=1)
    assert queue.run(create_run(spec, jobs))
    queue.run(beat("another", {"seen_at_ms": 2**53, "state": "ready"}, jobs))
    assert queue.run(run_workers(jobs))["another"]["state"] == "ready"
    say(queue, jobs, "elder", {"seen_at_ms": 2**53, "state": "ready"})
    worker = worker_of(jobs, monkeypatch)
    worker._look()
    worker.serve()
    assert done == []
    assert worker._state() == {
        "state": "ready",
        "reason": "run worker elder is of an earlier version: it does the steps",
    }
    assert "takes no steps yet: run worker elder" in caplog.text
    queue.run(lose_worker("elder", jobs))
    worker._look()
    worker.serve()
    assert done == ["plan"]
    assert worker._state() == {"state": "ready", "reason": ""}


def test_one_that_is_silent_for_long_is_not_waited_for(
    jobs: JobsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Step] = []
    monkeypatch.setattr(RunWorker, "_do", lambda _, step: done.append(step))
    queue = Queue(jobs.redis_url)
    spec = RunSpec(id="run_1", source="/data", model="m", created_at_ms=1)
    assert queue.run(create_run(spec, jobs))
    say(queue, jobs, "elder", {"seen_at_ms": 1, "state": "ready"})
    worker = worker_of(jobs, monkeypatch)
    worker._look()
    worker.serve()
    assert [step.name for step in done] == ["plan"]
