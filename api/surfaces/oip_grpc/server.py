"""A gRPC server in the API's own event loop."""

from __future__ import annotations

from typing import NamedTuple

import grpc.aio

from ....telemetry import traces
from ...access.book import KeyBook
from ...core.service import Service
from ..keda.service import ExternalScaler
from .counting import CountingInterceptor
from .guard import AccessInterceptor
from .service import handler

#: Seconds that open calls have to end at shutdown.
_GRACE_S = 5


class GrpcListening(NamedTuple):
    """A server that was started, and its calls that last."""

    server: grpc.aio.Server
    scaler: ExternalScaler


async def start(service: Service, port: int, keys: KeyBook) -> GrpcListening:
    """Listen on a port of the API's own host. Raises OSError when it is taken."""
    limit = service.settings.max_body_bytes
    server = grpc.aio.server(
        interceptors=(*_tracing(), CountingInterceptor(), AccessInterceptor(keys)),
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    scaler = ExternalScaler(service, keys)
    server.add_generic_rpc_handlers((handler(service), scaler.handler()))
    try:
        server.add_insecure_port(f"{service.settings.grpc_host}:{port}")
    except RuntimeError as error:
        raise OSError(f"the gRPC port {port} cannot be used: {error}") from None
    await server.start()
    return GrpcListening(server, scaler)


def _tracing() -> tuple[grpc.aio.ServerInterceptor, ...]:
    if (tracer := traces.tracer()) is None:
        return ()
    from .call_span import TracingInterceptor

    return (TracingInterceptor(tracer),)


async def stop(listening: GrpcListening) -> None:
    """Let open calls end, then close."""
    listening.scaler.end()
    await listening.server.stop(_GRACE_S)
