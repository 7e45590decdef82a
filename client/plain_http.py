"""Calls to a plain http:// server, over the standard library's connections.

httpx takes four times as long for a call, and a client of many small jobs does little else. It
carries what is not plain: TLS, proxies, passwords in URLs, redirects, paths that are to be quoted,
answers that are packed or come in parts.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from urllib.request import getproxies

import httpx

from .flow import HttpRequest, HttpResponse, failed_at

#: Paths that are the same to everybody: no dots that lead up, nothing to quote.
_PLAIN_PATH = re.compile(r"(/(?![/.])[\w:%.,~+@=-]*)+(\?[\w:%.,~+@=&/-]*)?", re.ASCII)


#: Seconds after which an idle connection is not used again, as httpx has it: what is between here
#: and the server may have forgotten it.
_IDLE_S = 5.0

#: What httpx sends, too: there are gateways that refuse who does not. Nothing is to be packed.
_USUAL = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "wherry"}


class PlainHttp:
    """Connections to one server, kept open. Threads may share it: each call has one to itself."""

    def __init__(self, url: httpx.URL, headers: Mapping[str, str]) -> None:
        self._host, self._port = url.raw_host.decode("ascii").strip("[]"), url.port or 80
        self._below = _path(url)
        self._headers = {"Host": url.netloc.decode("ascii"), **_USUAL, **headers}
        self._where = str(url.copy_with(raw_path=b"/")).rstrip("/")
        #: Those that were used last at the end, each with the time of that.
        self._idle = deque[tuple[socket.socket, float]]()
        self._closed = False

    @classmethod
    def to(cls, url: str, headers: Mapping[str, str]) -> PlainHttp | None:
        """One for a server's address, if it is plain and no proxy is between."""
        parts = httpx.URL(url)
        is_plain = parts.scheme == "http" and not parts.userinfo and not parts.query
        is_proxied = bool(getproxies().keys() & {"http", "all"})
        path = not _path(parts) or _PLAIN_PATH.fullmatch(_path(parts))
        can_send = hasattr(socket.socket, "sendmsg")  # not on Windows
        return cls(parts, headers) if is_plain and not is_proxied and path and can_send else None

    def reply(self, call: HttpRequest, timeout_s: float) -> HttpResponse | None:
        """The answer to a call, or its failure; None for a call that httpx is to make.

        Raises RuntimeError once it is closed, as httpx does.
        """
        if self._closed:
            raise RuntimeError("the client has been closed")
        if not _PLAIN_PATH.fullmatch(call.path):
            return None
        try:
            reply = self._tried(call, timeout_s)
        except (OSError, HTTPException) as error:
            return failed_at(self._where, error)
        packed = reply.headers.get("content-encoding", "identity") != "identity"
        is_whole = 200 <= reply.status < 300 or reply.status >= 400
        return reply if is_whole and not packed else None

    def _tried(self, call: HttpRequest, timeout_s: float) -> HttpResponse:
        if (idle := self._idle_line()) is not None:
            try:
                return self._asked(idle, call, timeout_s)
            except TimeoutError:
                raise
            except (OSError, HTTPException):
                # The server ended it while it was idle. Any call may be repeated (`flow.ask`).
                self._drop_idle()
        line = socket.create_connection((self._host, self._port), timeout_s)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._asked(line, call, timeout_s)

    def _idle_line(self) -> socket.socket | None:
        """A connection on which the server has said nothing since: neither its end, nor a 408."""
        with contextlib.suppress(IndexError):
            while True:
                line, since = self._idle.pop()
                if time.monotonic() - since < _IDLE_S and not _has_more(line):
                    return line
                line.close()
        return None

    def _asked(self, line: socket.socket, call: HttpRequest, timeout_s: float) -> HttpResponse:
        try:
            line.settimeout(timeout_s + call.held_s)
            # A server may say what is wrong before it has read all.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                _send(line, self._head(call), call.content or b"")
            answer = HTTPResponse(line, method=call.method)
            answer.begin()
            content = answer.read()
        except BaseException:
            line.close()
            raise
        if answer.will_close or answer.status < 200:  # the answer itself is still to come
            line.close()
        else:
            self._idle.append((line, time.monotonic()))
            if self._closed:
                self._drop_idle()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return HttpResponse(answer.status, content, told)

    def _head(self, call: HttpRequest) -> bytes:
        """The request line and the headers, none of which a caller can write."""
        headers = {**self._headers, **call.headers}
        if call.content is not None or call.method == "POST":
            headers["Content-Length"] = str(len(call.content or b""))
        lines = [f"{call.method} {self._below}{call.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def close(self) -> None:
        """Close the connections; a call under way ends first."""
        self._closed = True
        self._drop_idle()

    def _drop_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[0].close()


def _path(url: httpx.URL) -> str:
    """A server's path as it is written: what is quoted in it stays so."""
    return url.raw_path.decode("ascii").rstrip("/")


def _has_more(line: socket.socket) -> bool:
    """Whether there is something to read, or the end."""
    watched = select.poll()  # select has no numbers over 1023
    watched.register(line, select.POLLIN)
    return bool(watched.poll(0))


def _send(line: socket.socket, head: bytes, body: bytes) -> None:
    """Send both with one call where they fit: two would be read as two."""
    sent = line.sendmsg([head, body]) - len(head)
    if sent < len(body):
        line.sendall(head[sent:] if sent < 0 else b"")
        line.sendall(memoryview(body)[max(0, sent) :])
