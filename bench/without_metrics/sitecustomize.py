"""Read by every Python process of a fleet that `bench.metrics` starts without metrics: whatever
observes observes nothing. What Redis counts stays; an older checkout has not even that.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def _nothing(*_: Any, **__: Any) -> None:
    """Nothing."""


def _apply() -> None:
    from wherry.telemetry import api_metrics, calls, worker_metrics

    calls.redis_called = _nothing
    calls.store_call = contextlib.nullcontext
    api_metrics.requests.answered = _nothing
    for name in ("batch_ran", "jobs_queued", "ticket_came"):
        setattr(worker_metrics, name, _nothing)
    if "wherry.workers" in " ".join(sys.orig_argv):
        from wherry.workers import batch_metrics

        batch_metrics.count_queued = batch_metrics.count_batch = _nothing


# Of a process that is none of the fleet's, such as pip's, there is nothing to change.
with contextlib.suppress(ImportError):
    _apply()
