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

    noted: list[tuple[Any, str]] = [(calls, "redis_called"), (api_metrics.requests, "answered")]
    noted += [(worker_metrics, name) for name in ("batch_ran", "jobs_queued", "ticket_came")]
    if "wherry.workers" in " ".join(sys.orig_argv):
        from wherry.workers import batch_metrics

        noted += [(batch_metrics, "count_queued"), (batch_metrics, "count_batch")]
    for owner, name in noted:
        setattr(owner, name, _nothing)


# Of a process that is none of the fleet's, such as pip's, there is nothing to change.
with contextlib.suppress(ImportError):
    _apply()
