from __future__ import annotations

from collections.abc import Iterator

import pytest

from wherry.jobs import JobsSettings, Queue

from .run_books import RunWorker


@pytest.fixture
def runs(redis_url: str, jobs_settings: JobsSettings) -> Iterator[RunWorker]:
    """Who does the steps of runs of the server without keys."""
    queue = Queue(redis_url)
    worker = RunWorker(queue, jobs_settings)
    for blob in worker.store.blobs("upload/"):  # of tests before
        worker.store.delete(blob.ref)
    yield worker
    queue.close()


@pytest.fixture
def keyed_runs(redis_url: str, keyed_jobs: JobsSettings) -> Iterator[RunWorker]:
    """The same of the server that wants keys."""
    queue = Queue(redis_url)
    yield RunWorker(queue, keyed_jobs)
    queue.close()
