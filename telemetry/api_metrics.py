"""What an API process did: requests, gRPC calls, webhooks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from .instruments import SHARED, Pending, PendingByKind, counter, gauge, histogram

#: What is on the API's page besides.
REGISTRY = CollectorRegistry()

_requests = counter("wherry_http_requests_total", REGISTRY)
_request_s = histogram("wherry_http_request_duration_seconds", REGISTRY)
_in_progress = gauge("wherry_http_requests_in_progress", REGISTRY)
_grpc = counter("wherry_grpc_requests_total", REGISTRY)
_deliveries = counter("wherry_webhook_deliveries_total", REGISTRY)

#: Methods that are told by name; others are `other`, for clients make them up.
_OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", _OTHER})

#: What a request was, as it is told: route, method, status.
_Kind = tuple[str, str, int]

#: A route for requests that none took.
UNMATCHED = "unmatched"

#: Seconds after which what was noted is counted where another process may be asked for it.
_LAG_S = 0.5


def _counting(kind: _Kind) -> Callable[[Sequence[float]], None]:
    route, method, status = kind
    answered, answered_s = _requests.labels(route, method, str(status)), _request_s.labels(route)

    def count(seen: Sequence[float]) -> None:
        answered.inc(len(seen))
        answered_s.observe_many(seen)

    return count


class _Answered(PendingByKind[_Kind, float]):
    def __missing__(self, kind: _Kind) -> Pending[float]:
        route, method, status = kind
        if method not in _METHODS:
            return self[route, _OTHER, status]
        return super().__missing__(kind)


class _Requests:
    """Requests that are being answered, and those that were."""

    def __init__(self) -> None:
        #: By event loops of one process, of which servers have one.
        self.now = 0
        self._answered = _Answered(_counting)
        self._timer: threading.Timer | None = None

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note a request that is answered."""
        self._answered[route, method, status].note(seconds)
        if SHARED and self._timer is None:
            self._timer = threading.Timer(_LAG_S, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Count what was noted."""
        self._timer = None
        self._answered.flush()
        _in_progress.set(self.now)


requests = _Requests()


def grpc_called(method: str, status: str) -> None:
    """Count a gRPC call."""
    _grpc.labels(method, status).inc()


def webhook_tried(outcome: str) -> None:
    """Count a try to deliver a webhook."""
    _deliveries.labels(outcome).inc()
