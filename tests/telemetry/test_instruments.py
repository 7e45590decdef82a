"""Instruments count what they are told, in bulk as one by one, and from many threads."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from wherry.telemetry import api_metrics
from wherry.telemetry.instruments import (
    Pending,
    PendingByKind,
    counter,
    family,
    gauge,
    histogram,
    histogram_family,
)
from wherry.telemetry.metric_specs import SPECS

SECONDS = "wherry_redis_call_duration_seconds"


@given(st.lists(st.floats(0, 20)))
def test_many_at_a_time_are_as_one_by_one(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bulk = histogram(SECONDS, ours)
    plain = Histogram(SECONDS, "x", buckets=SPECS[SECONDS].buckets, registry=theirs)
    bulk.observe_many(values)
    for value in values:
        plain.observe(value)
    for ending, labels in (
        ("_count", {}),
        *(("_bucket", {"le": f"{bound}"}) for bound in SPECS[SECONDS].buckets),
    ):
        name = SECONDS + ending
        assert ours.get_sample_value(name, labels) == theirs.get_sample_value(name, labels)
    total = theirs.get_sample_value(SECONDS + "_sum")
    assert ours.get_sample_value(SECONDS + "_sum") == pytest.approx(total)


def test_no_observation_is_lost_between_threads() -> None:
    found: Counter[str] = Counter()
    noted = Pending[str](found.update)

    def note(name: str) -> None:
        for _ in range(5000):
            noted.note(name)

    threads = [threading.Thread(target=note, args=(str(n % 2),)) for n in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        noted.flush()
    for thread in threads:
        thread.join()
    noted.flush()
    assert found == {"0": 20_000, "1": 20_000}


def test_a_metric_of_another_kind_is_refused() -> None:
    registry = CollectorRegistry()
    with pytest.raises(TypeError, match="wherry_dead_letters is a gauge, no counter"):
        counter("wherry_dead_letters", registry)
    with pytest.raises(TypeError, match="is a counter, no gauge"):
        gauge("wherry_requeues_total", registry)
    with pytest.raises(KeyError):
        counter("wherry_invented_total", registry)


def test_labels_are_those_of_the_table() -> None:
    with pytest.raises(ValueError):
        family("wherry_rows_total", [(("only-a-model",), 1)])
    [sample] = family("wherry_rows_total", [(("m", "1"), 3)]).samples
    assert (sample.name, sample.labels, sample.value) == (
        "wherry_rows_total",
        {"model": "m", "version": "1"},
        3,
    )


def test_buckets_of_the_fleet_add_up() -> None:
    bounds = SPECS["wherry_job_duration_seconds"].buckets
    counts = [1] * (len(bounds) + 1)
    metric = histogram_family("wherry_job_duration_seconds", [(("m", "1"), counts, 7.5)])
    buckets = [s.value for s in metric.samples if s.name.endswith("_bucket")]
    assert buckets == list(range(1, len(bounds) + 2))
    assert [s.value for s in metric.samples if s.name.endswith("_count")] == [len(bounds) + 1]
    assert [s.value for s in metric.samples if s.name.endswith("_sum")] == [7.5]


def test_kinds_are_counted_apart_and_asked_for_once() -> None:
    found, asked = defaultdict[str, list[int]](list), list[str]()

    def counting(kind: str) -> Callable[[Sequence[int]], None]:
        asked.append(kind)
        return found[kind].extend

    pending = PendingByKind[str, int](counting)
    for number in range(1000):
        pending["ab"[number % 2]].note(number)
    pending.flush()
    assert found == {"a": list(range(0, 1000, 2)), "b": list(range(1, 1000, 2))}
    assert asked == ["a", "b"]


def test_methods_that_clients_make_up_are_one_kind() -> None:
    seen = api_metrics.requests
    for method in ("BREW", "STEEP", "POST"):
        seen.answered("/made-up", method, 418, 0.1)
    seen.flush()
    name, labels = "wherry_http_requests_total", {"route": "/made-up", "status": "418"}
    value = api_metrics.REGISTRY.get_sample_value
    assert value(name, {**labels, "method": "other"}) == 2
    assert value(name, {**labels, "method": "POST"}) == 1
    assert [kind for kind in seen._answered if kind[1] in ("BREW", "STEEP")] == []
