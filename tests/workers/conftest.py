"""A worker's process without Celery's: tickets are handed to it by the test."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery, signals

from wherry.jobs.call import Queue
from wherry.jobs.fleet import view
from wherry.jobs.fleet_views import WorkerView
from wherry.jobs.group import Group
from wherry.jobs.read import read
from wherry.jobs.record import JobRecord, NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.tasks.backends.device import Device
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.workers.settings import WorkerSettings
from wherry.workers.worker import Worker

MODELS = """
[[models]]
name = "embedding"
task = "embedding"
backend = "stub"
max_batch_size = 4

[[models]]
name = "bad"
task = "embedding"
backend = "stub"
parameters = { no_such_thing = 1 }
"""

GROUP = Group("text", "embedding", "1")
BAD = Group("text", "bad", "1")


class Process:
    """A worker for texts, and a client's hands beside it."""

    def __init__(self, app: Celery, queue: Queue, jobs: JobsSettings, models: Path) -> None:
        self.app, self.queue, self.jobs = app, queue, jobs
        self.settings = WorkerSettings(models=models, drain_timeout_s=0.01)
        self.device = Device()
        self.worker = self.made()

    def made(self, **changes: object) -> Worker:
        """A worker, not yet started, with other settings."""
        return Worker(
            self.app,
            "text-0@here",
            {"text"},
            jobs=self.jobs,
            settings=self.settings.model_copy(update=changes),
            metrics=MetricsSettings(),
            device=self.device,
            threads=2,
            consumer=lambda: None,
        )

    def submit(self, *job_ids: str, group: Group = GROUP) -> None:
        text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
        payload = json.dumps({"inputs": [text]}).encode()
        for job_id in job_ids:
            job = NewJob(
                id=job_id,
                task="embedding",
                group=group,
                payload=payload,
                header_length=len(payload),
                fingerprint="f",
            )
            self.queue.run(submit(job, self.jobs))

    def record(self, job_id: str) -> JobRecord:
        [found] = self.queue.run(read([job_id], self.jobs))
        assert found is not None
        return found

    def states(self, *job_ids: str) -> list[str]:
        return [self.record(job_id).status.value for job_id in job_ids]

    def seen(self) -> list[WorkerView]:
        """The workers, as the fleet sees them."""
        return list(self.queue.run(view(self.jobs)).workers)

    def tickets(self) -> int:
        """How many lie in the family's list."""
        found = self.queue.redis.llen(GROUP.queue_key)
        assert isinstance(found, int)
        return found


@pytest.fixture(scope="session", autouse=True)
def logging_is_not_celerys() -> Iterator[None]:
    """A worker of Celery's in a test sets the level of all loggers, unless somebody else does."""

    def as_it_is(**_: object) -> None:
        """Leave it."""

    signals.setup_logging.connect(as_it_is)
    yield
    signals.setup_logging.disconnect(as_it_is)


@pytest.fixture(autouse=True)
def _unfrozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker keeps from the collector of garbage for good is not here to stay, and what was
    kept from it before the first test, all that was imported, stays so: each look takes a second.
    """
    for verb in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, verb, lambda: None)


@pytest.fixture
def process(redis_url: str, tmp_path: Path) -> Iterator[Process]:
    models = tmp_path / "models.toml"
    models.write_text(MODELS)
    queue = Queue(redis_url)
    jobs = JobsSettings(redis_url=redis_url, store_dir=tmp_path / "store", sweep_every_s=0)
    app = Celery("process", broker=redis_url, set_as_current=False)
    process = Process(app, queue, jobs, models)
    yield process
    process.worker.stop()
    app.close()
    queue.close()
