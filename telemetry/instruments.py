"""What counts and measures in a process, by prometheus-client, under the names of the tables."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.values import ValueClass

from .metric_specs import SPECS, Kind, MetricSpec

# Prometheus reads a series' beginning off its values; these would double the page.
disable_created_metrics()  # type: ignore[no-untyped-call] # its own has no types

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

#: Whether processes that share a port write their values side by side into files.
SHARED: bool = getattr(ValueClass, "_multiprocess", False)

#: How much is kept before it is counted.
_MOST_PENDING = 512


class BulkHistogram(Histogram):
    """A histogram that takes many observations at the cost of a few."""

    def observe_many(self, values: Sequence[float]) -> None:
        """Count all of them."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call] # its own has no types
        # To sort them all is cheaper than to look for each one's bucket.
        ordered, below = sorted(values), 0
        for bucket, bound in zip(self._buckets, self._upper_bounds, strict=True):
            if below == len(ordered):
                break
            before, below = below, bisect_right(ordered, bound, below)
            if below > before:
                bucket.inc(below - before)
        self._sum.inc(sum(ordered))


def counter(name: str, registry: CollectorRegistry) -> Counter:
    """The counter of that name. It begins at 0, where it has no labels."""
    spec = _spec(name, Kind.COUNTER)
    return Counter(spec.name, spec.meaning, spec.labels, registry=registry)


def gauge(name: str, registry: CollectorRegistry) -> Gauge:
    """The gauge of that name, summed over the living processes that share a port."""
    spec = _spec(name, Kind.GAUGE)
    return Gauge(
        spec.name, spec.meaning, spec.labels, registry=registry, multiprocess_mode="livesum"
    )


def histogram(name: str, registry: CollectorRegistry) -> BulkHistogram:
    """The histogram of that name."""
    spec = _spec(name, Kind.HISTOGRAM)
    return BulkHistogram(
        spec.name, spec.meaning, spec.labels, registry=registry, buckets=spec.buckets
    )


def family(name: str, samples: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """A metric that is no process's own, from its samples: label values, and the value."""
    spec = SPECS[name]
    base = name.removesuffix("_total") if spec.kind is Kind.COUNTER else name
    metric = Metric(base, spec.meaning, spec.kind.value)
    for labels, value in samples:
        metric.add_sample(name, dict(zip(spec.labels, labels, strict=True)), value)
    return metric


def histogram_family(
    name: str, samples: Iterable[tuple[Sequence[str], Sequence[int], float]]
) -> Metric:
    """The same of a histogram: label values, counts of the buckets and of what is beyond, sum."""
    spec = SPECS[name]
    metric = Metric(name, spec.meaning, spec.kind.value)
    for labels, counts, total in samples:
        named = dict(zip(spec.labels, labels, strict=True))
        below = 0
        for bound, count in zip((*spec.buckets, float("inf")), counts, strict=True):
            below += count
            le = "+Inf" if bound == float("inf") else repr(float(bound))
            metric.add_sample(f"{name}_bucket", {**named, "le": le}, below)
        metric.add_sample(f"{name}_count", named, below)
        metric.add_sample(f"{name}_sum", named, total)
    return metric


def _spec(name: str, kind: Kind) -> MetricSpec:
    spec = SPECS[name]
    if spec.kind is not kind:
        raise TypeError(f"{name} is a {spec.kind.value}, no {kind.value}")
    return spec


class Pending(Generic[T]):
    """What was seen, taken down at once and counted many at a time.

    To take something down is to append it to a list: a tenth of what counting it takes. Threads
    may share it. Whoever shows the page counts first.
    """

    __slots__ = ("_count", "_lock", "_pending")

    def __init__(self, count: Callable[[Sequence[T]], None]) -> None:
        self._count = count
        self._pending: list[T] = []
        self._lock = threading.Lock()

    def note(self, seen: T) -> None:
        """Take it down."""
        pending = self._pending
        pending.append(seen)
        if len(pending) >= _MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Count what was taken down."""
        with self._lock:
            # Whoever appends meanwhile does so behind what is counted here.
            count = len(self._pending)
            taken = self._pending[:count]
            del self._pending[:count]
        if taken:
            self._count(taken)


class PendingByKind(dict[K, Pending[V]]):
    """What is pending of each kind, of which there are few; who counts one is asked for once."""

    def __init__(self, counting: Callable[[K], Callable[[Sequence[V]], None]]) -> None:
        super().__init__()
        self._counting = counting

    def __missing__(self, kind: K) -> Pending[V]:
        # Of two threads that miss it, both get what one has put there.
        return self.setdefault(kind, Pending(self._counting(kind)))

    def flush(self) -> None:
        """Count what was taken down."""
        for pending in list(self.values()):
            pending.flush()


def by_kind(seen: Iterable[tuple[K, V]]) -> Mapping[K, list[V]]:
    """What was seen of each kind."""
    found: dict[K, list[V]] = defaultdict(list)
    for kind, value in seen:
        found[kind].append(value)
    return found
