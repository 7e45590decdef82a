"""Who a process says it is, and which spans that begin a trace are recorded."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wherry.telemetry import provider
from wherry.telemetry.lots import DrawnIds
from wherry.telemetry.trace_context import TraceContext
from wherry.telemetry.tracer import Attributes, Tracer, context_of, trace_context


def place(number: int, *, sampled: bool) -> TraceContext:
    return TraceContext(f"00-{number:032x}-{number:016x}-0{int(sampled)}")


def made(sampler: sampling.Sampler) -> tuple[Tracer, InMemorySpanExporter]:
    found, exporter = (
        TracerProvider(sampler=provider.LinkedSampler(sampler)),
        InMemorySpanExporter(),
    )
    found.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracer(found.get_tracer("test")), exporter


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_batch_is_recorded_where_one_of_its_jobs_is(ratio: float) -> None:
    tracer, exporter = made(sampling.ParentBasedTraceIdRatio(ratio))
    for name, sampled in (("none", [False, False]), ("one", [False, True])):
        links: list[tuple[TraceContext, Attributes]] = [
            (place(n, sampled=each), {}) for n, each in enumerate(sampled, start=1)
        ]
        tracer.begin(name, "consumer", within=context_of(None), links=links).end()
    assert [span.name for span in exporter.get_finished_spans()] == ["one"]


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize("sampled", [False, True])
def test_a_child_is_recorded_where_its_parent_is_whatever_it_is_linked_to(
    ratio: float, sampled: bool
) -> None:
    tracer, exporter = made(sampling.ParentBasedTraceIdRatio(ratio))
    outer, linked = place(1, sampled=sampled), place(2, sampled=not sampled)
    span = tracer.begin("child", "consumer", within=context_of(outer), links=[(linked, {})])
    assert trace_context(span).trace_id == outer.trace_id
    assert trace_context(span).sampled is sampled
    span.end()
    assert bool(exporter.get_finished_spans()) is sampled


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_what_begins_a_trace_by_itself_is_drawn_by_lot(ratio: float) -> None:
    tracer, exporter = made(sampling.ParentBasedTraceIdRatio(ratio))
    tracer.begin("root", "server", within=context_of(None)).end()
    assert bool(exporter.get_finished_spans()) is bool(ratio)


def test_a_sampler_that_raises_records_nothing_and_breaks_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(sampling.Sampler):
        def should_sample(self, *_: object, **__: object) -> sampling.SamplingResult:
            raise RuntimeError("of some package")

        def get_description(self) -> str:
            return "broken"

    tracer, exporter = made(Broken())
    span = tracer.begin("root", "server", within=context_of(None))
    assert not span.is_recording()
    span.end()
    assert exporter.get_finished_spans() == ()
    assert "the sampler raised" in caplog.text


def test_what_the_environment_says_of_a_process_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,service.version=9")
    found = provider._new_provider("wherry-api", DrawnIds(), version="1", instance="here")
    assert found.resource.attributes["service.name"] == "wherry-api"
    assert found.resource.attributes["service.instance.id"] == "here"
    assert found.resource.attributes["service.version"] == "9"
    assert found.resource.attributes["deployment.environment"] == "test"
    found.shutdown()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    found = provider._new_provider("wherry-api", DrawnIds(), version="1", instance="here")
    assert found.resource.attributes["service.name"] == "mine"
    found.shutdown()


def test_the_ratio_of_the_environment_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    found = provider._new_provider("wherry-api", DrawnIds(), version="1", instance="")
    assert not found.get_tracer("test").start_span("lot").is_recording()
    found.shutdown()
