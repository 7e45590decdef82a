"""Calls of Redis and of the blob store, on the page of every process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from .instruments import Pending, counter, histogram

#: What is on every page.
REGISTRY = CollectorRegistry()

_redis_calls = counter("wherry_redis_calls_total", REGISTRY)
_redis_s = histogram("wherry_redis_call_duration_seconds", REGISTRY)
_store_calls = counter("wherry_store_calls_total", REGISTRY)
_store_s = histogram("wherry_store_call_duration_seconds", REGISTRY)


def _redis_pending(outcome: str) -> Pending[float]:
    calls = _redis_calls.labels(outcome)

    def count(seen: Sequence[float]) -> None:
        calls.inc(len(seen))
        _redis_s.observe_many(seen)

    return Pending(count)


_ok, _failed = _redis_pending("ok"), _redis_pending("error")


def redis_called(began: float, *, ok: bool) -> None:
    """Note a round trip that began then, by `time.perf_counter`."""
    (_ok if ok else _failed).note(time.perf_counter() - began)


@contextmanager
def store_call(operation: str, missing: type[Exception]) -> Iterator[None]:
    """Count and time a call of the blob store; `missing` is what it raises for no such blob."""
    began, outcome = time.perf_counter(), "error"
    try:
        yield
        outcome = "ok"
    except missing:
        outcome = "missing"
        raise
    finally:
        _store_calls.labels(operation, outcome).inc()
        _store_s.labels(operation).observe(time.perf_counter() - began)


def flush() -> None:
    """Count what was noted."""
    _ok.flush()
    _failed.flush()
