"""Read by every Python process of a fleet that `bench.in_turn` starts: what observes and what
traces is switched while it runs, by a file that a thread of each process looks at.

A fleet is so compared with itself: two that are equal differ by some hundredths.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

#: Seconds between two looks.
_EVERY_S = 0.02

_observes = True

#: The process' one tracer, and the lots that it draws: made at the first turn that traces.
_traced: list[Any] = []


def _switched(owner: Any, name: str) -> None:
    """Have a function of a module, or a method, do nothing while nothing is observed."""
    inner = getattr(owner, name)

    def maybe(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs) if _observes else None

    setattr(owner, name, maybe)


def _wrap() -> None:
    from wherry.telemetry import api_metrics, calls, worker_metrics

    _switched(calls, "redis_called")
    _switched(api_metrics.requests, "answered")
    for name in ("batch_ran", "jobs_claimed", "ticket_came"):
        _switched(worker_metrics, name)
    if "wherry.workers" in " ".join(sys.orig_argv):
        from wherry.workers import batch_metrics

        _switched(batch_metrics, "count_claim")
        _switched(batch_metrics, "count_batch")


def _tracer(share: str) -> Any:
    """The one that records this share of what begins here."""
    from opentelemetry.sdk.trace import sampling

    from wherry.telemetry import provider

    if not _traced:
        _traced.append(provider.tracer_of("bench", version="0"))
    # The app keeps the first that it is given.
    found = vars(_traced[0])
    if lots := found.get("_lots"):
        lots.share = float(share)
        lots.__post_init__()
    by_share = sampling.ParentBased(sampling.TraceIdRatioBased(float(share)))
    vars(found["_tracer"].sampler)["_inner"] = by_share
    return _traced[0]


def _count() -> None:
    """Whatever was taken down: it belongs to the turn in which it was."""
    from wherry.telemetry import api_metrics, calls, worker_metrics

    api_metrics.requests.flush()
    calls.flush()
    worker_metrics.flush()
    if _traced:
        from opentelemetry import trace

        provider: Any = trace.get_tracer_provider()
        provider.force_flush()


def _follow(told: Path) -> None:
    """Be as the file says, and say so beside it."""
    global _observes  # every process is in one state
    from wherry.telemetry import traces

    state = ""
    while True:
        with contextlib.suppress(OSError):
            if (now := told.read_text()) and now != state:
                state = now
                how, _, share = state.split()[1].partition(":")
                _count()
                _observes = how != "nothing"
                traces.__dict__["_tracer"] = _tracer(share) if how == "traces" else None
                said = told.with_name(str(os.getpid()))
                said.with_suffix(".new").write_text(state)
                said.with_suffix(".new").replace(said)
        time.sleep(_EVERY_S)


def _begin() -> None:
    told = Path(os.environ["WHERRY_BENCH_SWITCH"])
    threading.Thread(target=_follow, args=(told,), daemon=True).start()


# Of a process that is none of the fleet's, such as pip's, there is nothing to change.
if "WHERRY_BENCH_SWITCH" in os.environ:
    with contextlib.suppress(ImportError):
        _wrap()
        _begin()
        os.register_at_fork(after_in_child=_begin)
