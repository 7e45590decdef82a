"""A server between the client and the stack that loses, refuses and delays on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass
class Seen:
    """A request that came to the proxy."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass
class Answer:
    """What the proxy says instead of the server."""

    status: int
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)


class Drop:
    """The connection breaks before the server has seen the request."""


class Lose:
    """The connection breaks after the server has done what was asked."""


#: What a rule says of a request; None and a request are handed on to the server.
Fate = Answer | Drop | Lose | Seen | None


class Proxy:
    """A server between the client and the stack. `rule` decides each request's fate."""

    def __init__(self, target: str) -> None:
        self.reset()
        self._http = httpx.Client(base_url=target, timeout=60)

        class Handler(_Handler):
            proxy = self

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reset(self) -> None:
        """Hand on all requests, and forget those seen."""
        self.seen: list[Seen] = []
        self.rule: Callable[[Seen], Fate] = lambda _: None

    def once(self, path: str, *fates: Fate) -> None:
        """Let the first requests to a path have these fates."""
        left = list(fates)
        self.rule = lambda seen: left.pop(0) if left and path in seen.path else None

    def asked(self, path: str) -> list[Seen]:
        """The requests to a path so far."""
        return [seen for seen in self.seen if path in seen.path]

    def forward(self, seen: Seen) -> Answer:
        """What the server says."""
        answer = self._http.request(seen.method, seen.path, content=seen.body, headers=seen.headers)
        skip = {"content-length", "transfer-encoding", "content-encoding", "connection"}
        headers = {k: v for k, v in answer.headers.items() if k not in skip}
        return Answer(answer.status_code, answer.content, headers)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._http.close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that leave are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.command, self.path, dict(self.headers.items()), body)
        self.proxy.seen.append(seen)
        fate = self.proxy.rule(seen)
        if isinstance(fate, Lose):
            self.proxy.forward(seen)
        if isinstance(fate, (Drop, Lose)):
            self.close_connection = True
            return
        if not isinstance(fate, Answer):
            fate = self.proxy.forward(fate or seen)
        content = fate.body if isinstance(fate.body, bytes) else json.dumps(fate.body).encode()
        self.send_response(fate.status)
        for name, value in fate.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _handle  # noqa: N815 # http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its name
        """Say nothing."""


def full(seconds: int) -> Answer:
    """The server's refusal when its queue is full."""
    body = {"error": "the queue is full", "error_type": "queue_full"}
    return Answer(503, body, {"Retry-After": str(seconds)})
