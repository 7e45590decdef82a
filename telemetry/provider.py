"""OpenTelemetry's SDK as this process uses it: who samples, who exports, who it is."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from .lots import DrawnIds, usual_lots
from .tracer import Tracer

log = logging.getLogger(__name__)

#: Seconds that what is recorded has to leave the process at its end. The SDK's own 30 would hold
#: up every stop of a fleet whose collector is away.
_GOODBYE_S = 3.0

_PROTOCOL = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

#: Entry points of exporters by protocol, and the package that brings each.
_EXPORTERS = {
    "http/protobuf": ("otlp_proto_http", "opentelemetry-exporter-otlp-proto-http"),
    "grpc": ("otlp_proto_grpc", "opentelemetry-exporter-otlp-proto-grpc"),
}


class LinkedSampler(sampling.Sampler):
    """Records what begins a trace if something that it is linked to is recorded.

    A batch belongs to the traces of all its jobs and is none's child: to draw lots for it again
    would lose the batches of jobs that are recorded. All else is for the sampler within.
    """

    def __init__(self, inner: sampling.Sampler) -> None:
        self._inner = inner

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> sampling.SamplingResult:
        """As the SDK asks."""
        begins = not trace.get_current_span(parent_context).get_span_context().is_valid
        if begins and links:
            recorded = any(link.context.trace_flags.sampled for link in links)
            chosen = sampling.Decision.RECORD_AND_SAMPLE if recorded else sampling.Decision.DROP
            return sampling.SamplingResult(chosen, attributes if recorded else None)
        try:
            return self._inner.should_sample(
                parent_context, trace_id, name, kind, attributes, links, trace_state
            )
        except Exception:  # a sampler of some package: no request fails by it
            log.exception("the sampler raised; %r is not recorded", name)
            return sampling.SamplingResult(sampling.Decision.DROP)

    def get_description(self) -> str:
        """For whoever looks at the provider."""
        return f"Linked({self._inner.get_description()})"


def tracer_of(service: str, *, version: str, instance: str = "") -> Tracer:
    """A tracer of the process's provider: of the one that is set, else of one made here.

    Raises ValueError for exporters that there are not.
    """
    provider: Any = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):  # whoever set it ends it
        return Tracer(provider.get_tracer("wherry", version))
    ids = DrawnIds()
    provider = _new_provider(service, ids, version=version, instance=instance)
    trace.set_tracer_provider(provider)
    lots = usual_lots(os.environ, ids)
    return Tracer(provider.get_tracer("wherry", version), _closing(provider), lots)


def _new_provider(service: str, ids: DrawnIds, *, version: str, instance: str) -> TracerProvider:
    exporters = [_exporter(name) for name in _exporter_names()]
    about = {"service.name": service, "service.version": version}
    if instance:
        about["service.instance.id"] = instance
    # What the environment says goes before what we call ourselves; create() has it the other way.
    told = OTELResourceDetector().detect()
    provider = TracerProvider(
        resource=Resource.create(about).merge(told), shutdown_on_exit=False, id_generator=ids
    )
    provider.sampler = LinkedSampler(provider.sampler)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter_names() -> list[str]:
    named = os.environ.get("OTEL_TRACES_EXPORTER", "") or "otlp"
    return [name.strip().lower() for name in named.split(",") if name.strip()]


def _exporter(name: str) -> SpanExporter:
    """An exporter by its name in OTEL_TRACES_EXPORTER. Raises ValueError."""
    entry, package = name, ""
    if name == "otlp":
        protocol = next((os.environ[each] for each in _PROTOCOL if os.environ.get(each)), "")
        protocol = protocol or "http/protobuf"
        if protocol not in _EXPORTERS:
            known = ", ".join(_EXPORTERS)
            raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is none of {known}")
        entry, package = _EXPORTERS[protocol]
    found = list(entry_points(group="opentelemetry_traces_exporter", name=entry))
    if not found:
        hint = f"pip install {package}" if package else "no package here brings it"
        raise ValueError(f"there is no exporter {entry!r} of traces: {hint}")
    exporter: SpanExporter = found[0].load()()
    return exporter


def _closing(provider: TracerProvider) -> Any:
    def close() -> None:
        # In a thread that may be left behind: an exporter that waits for a collector hears nothing.
        thread = threading.Thread(target=provider.shutdown, name="wherry-traces-end", daemon=True)
        thread.start()
        thread.join(_GOODBYE_S)

    return close
