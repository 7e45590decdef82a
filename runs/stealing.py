"""A run worker that is free has what another is slow at left to those that are free."""

from __future__ import annotations

import logging

from ..jobs.call import Queue
from ..jobs.run_stealing import steal_shard
from ..jobs.settings import JobsSettings
from .settings import RunSettings

log = logging.getLogger(__name__)

#: Seconds that a run worker which is asked to leave a shard has to hear of it.
_PATIENCE_S = 5.0

_DONE = {"asked": "asked to leave it", "taken": "rid of it"}


def steal(queue: Queue, worker: str, settings: RunSettings, jobs: JobsSettings) -> None:
    """Look for a shard that is far behind, for a worker that is free. Raises Unavailable."""
    least_s = settings.run_steal_s
    if not least_s:
        return
    found = queue.run(steal_shard(worker, least_s, min(_PATIENCE_S, least_s), jobs))
    if found:
        run_id, step, done = found
        log.info("run %s: %s is far behind: its run worker is %s", run_id, step, _DONE[done])
