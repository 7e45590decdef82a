"""Connections that are kept: for one name each, though another has the same address."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wherry.tasks.egress.addresses import parse_networks
from wherry.tasks.egress.allowed import Allowed
from wherry.tasks.egress.guard import OutboundGuard
from wherry.tasks.egress.kept import KeptConnections

from ...support.names import Names

ANYONE = Allowed.of("http", "*:*", setting="WHERRY_URL")


@pytest.fixture
def doors() -> Iterator[tuple[int, list[int]]]:
    """A server that keeps connections: its port, and by which of its doors each request came."""
    came: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            came.append(self.client_address[1])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 # the base's

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1], came
    server.shutdown()
    server.server_close()


def test_a_connection_is_kept_for_its_name_alone(doors: tuple[int, list[int]]) -> None:
    port, came = doors
    names = Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]])

    async def ask() -> None:
        guard = OutboundGuard(
            ANYONE,
            parse_networks("127.0.0.1/32"),
            resolve=names,
            transport=KeptConnections(),
        )
        try:
            for name in ("a.test", "a.test", "b.test", "a.test", "b.test"):
                async with guard.request("GET", f"http://{name}:{port}/", headers={}) as response:
                    await response.aread()
        finally:
            await guard.close()

    asyncio.run(ask())
    a, b = came[0], came[2]
    assert came == [a, a, b, a, b]
    assert a != b
