"""What is passed over before a span is made is what the SDK's own samplers would not record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wherry.telemetry.lots import DrawnIds, usual_lots
from wherry.telemetry.tracer import Tracer, current_context, extracted, injected

RECORDED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
UNRECORDED = {**RECORDED, "traceparent": RECORDED["traceparent"][:-2] + "00", "tracestate": "a=1"}
NOT_READ = {"traceparent": "00-0af76519-b7ad6b71-01"}


def environment(sampler: str, share: str = "") -> dict[str, str]:
    return {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": share}


class Made:
    """A tracer as a process has it whose environment names a sampler, and what it recorded."""

    def __init__(self, told: Mapping[str, str], sampler: sampling.Sampler) -> None:
        self.exporter = InMemorySpanExporter()
        ids = DrawnIds()
        self._provider = TracerProvider(sampler, shutdown_on_exit=False, id_generator=ids)
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = Tracer(self._provider.get_tracer("test"), lots=usual_lots(told, ids))

    def is_recorded(self, carried: Mapping[str, str]) -> bool:
        """Whether a request is that comes with these headers."""
        passed = self.tracer.unrecorded(carried)
        if passed is None:
            span = self.tracer.begin("POST", "server", within=extracted(carried))
            is_recording = span.is_recording()
            span.end()
            return is_recording
        return False


@pytest.fixture(params=["0", "0.3", "1", "on", "off"])
def parent_based(request: pytest.FixtureRequest) -> Iterator[tuple[Made, float]]:
    """With the share of what begins here that is recorded."""
    if request.param in ("on", "off"):
        made = Made(
            environment(f"parentbased_always_{request.param}"),
            sampling.DEFAULT_ON if request.param == "on" else sampling.DEFAULT_OFF,
        )
        yield made, float(request.param == "on")
    else:
        share = float(request.param)
        told = environment("parentbased_traceidratio", request.param)
        yield Made(told, sampling.ParentBasedTraceIdRatio(share)), share


def test_the_share_of_what_begins_here_is_recorded(parent_based: tuple[Made, float]) -> None:
    made, share = parent_based
    # By the SDK itself: an id that was drawn to be recorded is the one that it decides about.
    recorded = sum(made.is_recorded({}) for _ in range(2000))
    assert recorded == len(made.exporter.get_finished_spans())
    assert recorded / 2000 == pytest.approx(share, abs=0.1)  # nine standard deviations


def test_what_a_caller_decided_holds(parent_based: tuple[Made, float]) -> None:
    made, _ = parent_based
    assert made.is_recorded(RECORDED)
    assert not made.is_recorded(UNRECORDED)
    assert made.tracer.unrecorded(UNRECORDED) is not None
    assert made.tracer.unrecorded(NOT_READ) is None, "the SDK says what becomes of it"


def test_a_sampler_that_heeds_no_caller_is_asked_itself() -> None:
    made = Made(environment("traceidratio", "1"), sampling.TraceIdRatioBased(1))
    assert made.tracer.unrecorded(UNRECORDED) is None
    assert made.is_recorded(UNRECORDED)
    none = Made(environment("traceidratio", "0"), sampling.TraceIdRatioBased(0))
    assert none.tracer.unrecorded({}) is not None


@pytest.mark.parametrize(
    "told",
    [
        environment("of_some_package"),
        environment("parentbased_jaeger_remote"),
        environment("parentbased_traceidratio", "much"),
        environment("parentbased_traceidratio", "2"),
    ],
)
def test_of_a_sampler_that_is_not_known_nothing_is_decided(told: Mapping[str, str]) -> None:
    assert usual_lots(told, DrawnIds()) is None


def test_without_lots_nothing_is_decided() -> None:
    tracer = Tracer(TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    assert tracer.unrecorded({}) is None
    assert tracer.unrecorded(UNRECORDED) is None


def test_what_is_passed_over_is_carried_on_as_not_recorded() -> None:
    made = Made(environment("parentbased_traceidratio", "0"), sampling.DEFAULT_OFF)
    assert not made.tracer.passes_over(), "nothing is current here"
    span = made.tracer.unrecorded({})
    assert span is not None
    with made.tracer.current(span):
        assert made.tracer.passes_over()
        # A span within it, of another package's, is of the same trace, and not recorded either.
        inner = made.tracer.begin("inner", "internal")
        assert not inner.is_recording()
        assert inner.get_span_context().trace_id == span.get_span_context().trace_id
        told = injected()
        assert current_context() == (told["traceparent"], "")
        assert told["traceparent"].endswith("-02"), "its id is random, and nobody records it"
    assert not made.tracer.passes_over()


def test_who_came_with_a_place_in_a_trace_goes_on_in_it() -> None:
    made = Made(environment("parentbased_always_on"), sampling.DEFAULT_ON)
    span = made.tracer.unrecorded(UNRECORDED)
    assert span is not None
    place = span.get_span_context()
    assert trace.format_trace_id(place.trace_id) in UNRECORDED["traceparent"]
    assert trace.format_span_id(place.span_id) not in UNRECORDED["traceparent"]
    headers = injected(span)
    assert headers["traceparent"].endswith("-00")
    assert headers["tracestate"] == "a=1"
    assert span.get_span_context() is place
