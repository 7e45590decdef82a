"""A program that traces itself and asks a fleet: `traced_client.py URL WEBHOOK` tells its trace."""

from __future__ import annotations

import asyncio
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from wherry.client import AsyncClient, Client
from wherry.tasks.text.embedding import EmbeddingInput

url, webhook = sys.argv[1:]
provider = TracerProvider(resource=Resource.create({"service.name": "program"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("program")
given = EmbeddingInput(texts=["hi"])


async def ask() -> None:
    async with AsyncClient(url) as client:
        await client.infer("embedding", given)


with tracer.start_as_current_span("work") as span, Client(url) as client:
    job = client.submit("embedding", given, id="from-a-program", webhook=webhook)
    client.result(job.id)
    asyncio.run(ask())
    sys.stdout.write(trace.format_trace_id(span.get_span_context().trace_id))
provider.shutdown()
