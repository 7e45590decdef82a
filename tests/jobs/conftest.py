from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Queue

from .fleet import Fleet

GROUP = Group("vision", "digits", "1")


@pytest.fixture
def settings(redis_url: str) -> JobsSettings:
    return JobsSettings(redis_url=redis_url, result_ttl_s=100, kept_requests_bytes=0)


@pytest.fixture
def queue(settings: JobsSettings) -> Iterator[Queue]:
    queue = Queue(settings.redis_url)
    yield queue
    queue.close()


@pytest.fixture
def new_job() -> Callable[..., NewJob]:
    numbers = itertools.count()

    def make(**changes: object) -> NewJob:
        job = NewJob(
            id=f"job-{next(numbers)}",
            task="image-classification",
            group=GROUP,
            payload=b'{"inputs":[]}',
            header_length=13,
            fingerprint="f0",
        )
        return replace(job, **changes)  # type: ignore[arg-type] # the test names real fields

    return make


@pytest.fixture
def fleet(queue: Queue, settings: JobsSettings, new_job: Callable[..., NewJob]) -> Fleet:
    return Fleet(queue, settings, new_job)
