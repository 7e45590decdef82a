"""A server in OpenAI's form that says 429 and dies, as it is told. Run as a process of its own.

`python shaky_endpoint.py PORT LOG BUSY_EVERY DIES_AFTER`: each BUSY_EVERY-th request is told to
come again, with Retry-After at times; with answer DIES_AFTER it is gone without a word, and those
under way with it (0: never). LOG gets a line for each answer, before it is sent.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Shaky(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    log: Path
    busy_every = dies_after = 0
    asked, answered = itertools.count(1), itertools.count(1)
    lock = threading.Lock()

    def do_GET(self) -> None:
        self._answer(200, {"data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = next(self.asked)
        if self.busy_every and number % self.busy_every == 0:
            rest = {"Retry-After": "1"} if number % (4 * self.busy_every) == 0 else {}
            self._answer(429, {"error": {"message": "slow down"}}, rest)
            return
        time.sleep(0.002)
        self._write(body["prompt"])

    def _write(self, prompt: str) -> None:
        if "BAD" in prompt:
            self._answer(400, {"error": {"message": "a bad prompt"}})
            return
        with self.lock, self.log.open("a") as log:
            log.write(json.dumps(prompt) + "\n")
            log.flush()
            if next(self.answered) == self.dies_after:
                os._exit(1)
        usage = {"prompt_tokens": 2, "completion_tokens": 3}
        text = f"answer to {prompt}"
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        self._answer(200, {"choices": [choice], "usage": usage})

    def _answer(self, code: int, document: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 # the base's


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asks may be killed."""


if __name__ == "__main__":
    port, log, busy_every, dies_after = sys.argv[1:]
    Shaky.log, Shaky.busy_every, Shaky.dies_after = Path(log), int(busy_every), int(dies_after)
    Server(("127.0.0.1", int(port)), Shaky).serve_forever(0.05)
