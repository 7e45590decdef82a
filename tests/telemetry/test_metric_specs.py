"""The tables of metrics keep Prometheus' conventions."""

from __future__ import annotations

import re

import pytest

from wherry.telemetry.metric_specs import ALL, GPU, TRITON, Kind, MetricSpec

#: Endings of what is measured, by Prometheus' base units; of what is counted there is none.
_UNITS = ("_seconds", "_bytes", "_ratio", "_rows", "_info")

ids = [spec.name for spec in ALL]


def test_each_name_is_there_once() -> None:
    assert len(set(ids)) == len(ids)


def test_no_counter_has_the_name_of_another_metric() -> None:
    # OpenMetrics knows a counter by its name without `_total`.
    assert len({name.removesuffix("_total") for name in ids}) == len(ids)


@pytest.mark.parametrize("spec", ALL, ids=ids)
def test_a_name_follows_the_conventions(spec: MetricSpec) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)
    if spec in (*TRITON, *GPU):
        assert spec.name.startswith("nv_"), "Triton's own"
        assert spec.kind in (Kind.GAUGE, Kind.UNTYPED)
        return
    assert spec.name.startswith("wherry_")
    assert (spec.kind is Kind.COUNTER) == spec.name.endswith("_total")
    assert not spec.name.removesuffix("_total").endswith(("_ms", "_us", "_s", "_count", "_sum"))
    if spec.kind is Kind.HISTOGRAM:
        assert spec.name.endswith(_UNITS)


@pytest.mark.parametrize("spec", ALL, ids=ids)
def test_a_metric_says_what_it_is_in_one_sentence(spec: MetricSpec) -> None:
    assert spec.meaning[0].isupper() or spec.meaning.startswith(("gRPC", "1,"))
    assert not spec.meaning.endswith(".")
    assert "\n" not in spec.meaning


@pytest.mark.parametrize("spec", ALL, ids=ids)
def test_there_are_few_buckets_and_few_labels(spec: MetricSpec) -> None:
    assert bool(spec.buckets) == (spec.kind is Kind.HISTOGRAM)
    assert len(spec.buckets) <= 14
    assert list(spec.buckets) == sorted(spec.buckets)
    assert len(spec.labels) <= 4
    assert not {"le", "instance", "job"} & set(spec.labels), "Prometheus' own"
