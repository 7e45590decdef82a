"""A server before S3 that is slow, refuses, hangs, and breaks off, as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import httpx

#: `half write`: the connection breaks in the middle of the body. `unheard write`: after S3 has done
#: as asked. `half read`: in the middle of its answer's body. `hang`: there is never an answer.
Fate = Literal["well", "slow", "503", "half write", "unheard write", "half read", "hang"]

#: Decides by method and path.
Rule = Callable[[str, str], Fate]

SLOW_S = 0.5

_REFUSAL = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


class ShakyS3:
    """The proxy. `rule` decides each request's fate; `hit` counts those that did not go well."""

    def __init__(self, target: str) -> None:
        self._http = httpx.Client(base_url=target, timeout=60)
        self._released = threading.Event()
        self._guard = threading.Lock()
        self.well()

        class Handler(_Handler):
            s3 = self

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def well(self) -> None:
        """Hand all on."""
        self.rule: Rule = lambda method, path: "well"
        self.hit = 0

    def always(self, fate: Fate, *methods: str) -> None:
        """Give all requests of some methods this fate."""
        self.rule = lambda method, path: fate if method in methods else "well"

    def times(self, count: int, fate: Fate, *methods: str) -> None:
        """Give so many of the next requests this fate; looks for the fleet's mark do not count."""
        left = [fate] * count

        def rule(method: str, path: str) -> Fate:
            counts = left and method in methods and "proof" not in path
            return left.pop() if counts else "well"

        self.rule = rule

    def fate(self, method: str, path: str) -> Fate:
        with self._guard:
            fate = self.rule(method, path)
            self.hit += fate != "well"
        return fate

    def hang(self) -> None:
        self._released.wait(60)

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> httpx.Response:
        return self._http.request(method, path, content=body, headers=headers)

    def __enter__(self) -> ShakyS3:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._http.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: broken connections are what this is about."""


class _Handler(BaseHTTPRequestHandler):
    s3: ShakyS3
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        fate = self.s3.fate(self.command, self.path)
        if fate == "half write":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if fate == "hang":
            self.s3.hang()
            self.close_connection = True
            return
        if fate == "slow":
            threading.Event().wait(SLOW_S)
        if fate == "503":
            self._send(503, {"Content-Type": "application/xml"}, _REFUSAL)
            return
        skip = {"host", "connection", "expect", "accept-encoding"}
        headers = {k: v for k, v in self.headers.items() if k.lower() not in skip}
        answer = self.s3.forward(self.command, self.path, body, headers)
        if fate == "unheard write":
            self.close_connection = True
            return
        skip = {"content-length", "transfer-encoding", "content-encoding", "connection"}
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in skip}
        self._send(answer.status_code, kept, answer.content, half=fate == "half read")

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, *, half: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.close_connection |= half

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = _handle  # noqa: N815 # http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its name
        """Say nothing."""
