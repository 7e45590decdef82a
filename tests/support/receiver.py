"""A real HTTP server on this machine that answers as a test tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[BaseHTTPRequestHandler], object]


class Receiver:
    """A server that answers as it is told, path by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}
        self.open = threading.Event()  # for answers that wait for the test's end
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str = "/", host: str = "files.test") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                asked = Asked(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                receiver.asked.append(asked)
                answer = receiver.answers.get(self.path.partition("?")[0], status(404))
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True  # whoever asked has heard enough

            do_POST = do_GET  # noqa: N815 # the base class's name

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 # the base's

        return Handler


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer; `content_type` among the headers stands for Content-Type."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer
