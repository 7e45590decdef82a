#!/usr/bin/env bash
# FastAPI 0.165.0: an app records four spans a request as soon as any provider of OpenTelemetry is set.
#
# FastAPI brings opentelemetry-api and traces by itself: nothing was instrumented, no setting made. A
# program that sets a provider for spans of its own, or whose host does, gets a server span and one
# each for dependencies, endpoint and serialization of every request; one that begins a server span
# in a middleware of its own has two. Off: FastAPI(telemetry={"tracing": False}), which older versions take
# as an unknown extra. Requests that never reach FastAPI's own stack are not seen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fastapi==0.165.0 httpx opentelemetry-sdk==1.45.2
cat >"$folder/app.py" <<'PY'
import asyncio

import httpx
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
quiet = {"tracing": False, "metrics": False, "logs": False}


async def asked(app: FastAPI) -> str:
    app.get("/items/{item}")(lambda item: item)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        await client.get("/items/1")
    names = [span.name for span in kept.get_finished_spans()]
    kept.clear()
    return ", ".join(sorted(names)) or "none"


print(asyncio.run(asked(FastAPI())))
print(asyncio.run(asked(FastAPI(telemetry=quiet))))
PY
told=$("$folder/venv/bin/python" "$folder/app.py")
echo "$told"
[[ $told == "GET /items/{item}, fastapi.dependencies, fastapi.endpoint, fastapi.serialization"$'\n'"none" ]]
echo "as before: it traces without being asked"
