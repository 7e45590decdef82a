"""A gRPC server in the API's own event loop."""

from __future__ import annotations

import grpc.aio

from ....telemetry import traces
from ...access.book import KeyBook
from ...core.service import Service
from .counting import CountingInterceptor
from .guard import AccessInterceptor
from .service import handler

#: Seconds that open calls have to end at shutdown.
_GRACE_S = 5


async def start(service: Service, port: int, keys: KeyBook) -> grpc.aio.Server:
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
    server.add_generic_rpc_handlers((handler(service),))
    try:
        server.add_insecure_port(f"{service.settings.grpc_host}:{port}")
    except RuntimeError as error:
        raise OSError(f"the gRPC port {port} cannot be used: {error}") from None
    await server.start()
    return server


def _tracing() -> tuple[grpc.aio.ServerInterceptor, ...]:
    if (tracer := traces.tracer()) is None:
        return ()
    from .call_span import TracingInterceptor

    return (TracingInterceptor(tracer),)


async def stop(server: grpc.aio.Server) -> None:
    """Let open calls end, then close."""
    await server.stop(_GRACE_S)
