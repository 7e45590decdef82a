"""Jobs of a run whose answers are kept elsewhere, or that nobody will read: they go at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..jobs.batches import forget_soon
from ..jobs.call import Queue
from ..jobs.owned import stored_id
from ..jobs.recover import cancel
from ..jobs.run_records import Step
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import WherryError


class Leftovers:
    """Removes jobs of one step's run. It asks Redis, not the API, which may be away at the end."""

    def __init__(self, step: Step, queue: Queue, jobs: JobsSettings, store: Store) -> None:
        self._step, self._queue, self._jobs, self._store = step, queue, jobs, store

    def forget(self, job_ids: Sequence[str]) -> None:
        """Let ended jobs go, with their results. Raises Unavailable."""
        if job_ids:
            for ref in self._queue.run(forget_soon(self._stored(job_ids), 0, self._jobs)):
                self._store.delete(ref)

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs, and let those go that have ended."""
        for job_id in self._stored(job_ids):
            with contextlib.suppress(WherryError):
                self._queue.run(cancel(job_id, self._jobs))
        with contextlib.suppress(WherryError):
            self.forget(job_ids)

    def _stored(self, job_ids: Sequence[str]) -> list[str]:
        return [stored_id(self._step.spec.tenant, job_id) for job_id in job_ids]
