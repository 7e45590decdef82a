"""Calls of Redis and of the blob store, on the page of every process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from .instruments import Observations, counter, histogram

#: What is on every page.
REGISTRY = CollectorRegistry()

_redis_calls = counter("wherry_redis_calls_total", REGISTRY)
_redis_s = histogram("wherry_redis_call_duration_seconds", REGISTRY)
_store_calls = counter("wherry_store_calls_total", REGISTRY)
_store_s = histogram("wherry_store_call_duration_seconds", REGISTRY)

for _outcome in ("ok", "error"):
    _redis_calls.labels(_outcome)


def _count_redis(of: tuple[str, ...], seconds: Sequence[float]) -> None:
    _redis_calls.labels(*of).inc(len(seconds))
    _redis_s.observe_many(seconds)


_redis = Observations(_count_redis)
_OK, _ERROR = ("ok",), ("error",)


def redis_called(began: float, *, ok: bool) -> None:
    """Note a round trip that began then, by `time.perf_counter`."""
    _redis.note(_OK if ok else _ERROR, time.perf_counter() - began)


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
    _redis.flush()
