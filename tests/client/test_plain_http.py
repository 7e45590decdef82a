"""The client's own short way of a call to a plain server, and what it leaves to httpx."""

from __future__ import annotations

import gzip
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import IO

import pytest

from wherry.client import Client, plain_http
from wherry.client.flow import HttpRequest, HttpResponse
from wherry.client.plain_http import PlainHttp

CALL = HttpRequest("POST", "/v2/jobs:status", b"{}")


@contextmanager
def server(*conversations: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each connection's requests with the next bytes, then closes it."""
    asked: list[bytes] = []

    def serve() -> None:
        for answer in conversations:
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as reading:
                for part in answer.split(b"||"):
                    asked.append(request(reading))
                    connection.sendall(part)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(5)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        thread.join(5)


def request(reading: IO[bytes]) -> bytes:
    head = b"".join(iter(reading.readline, b"\r\n"))
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return head + b"\r\n" + reading.read(int(length[1]) if length else 0)


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Told: yes\r\n\r\n%s" % (len(body), body)


@pytest.fixture
def plain() -> Iterator[Callable[[str], PlainHttp]]:
    made: list[PlainHttp] = []

    def make(url: str) -> PlainHttp:
        found = PlainHttp.to(url, {"Authorization": "Bearer key"})
        assert found is not None
        made.append(found)
        return found

    yield make
    for each in made:
        each.close()


def test_calls_share_a_connection_below_the_servers_path(plain: Callable[[str], PlainHttp]) -> None:
    with server(ok(b"one") + b"||" + ok(b"two")) as (url, asked):
        http = plain(f"{url}/behind/")
        replies = [http.reply(CALL, 5), http.reply(CALL, 5)]
    assert replies == [
        HttpResponse(200, body, {"content-length": "3", "x-told": "yes"})
        for body in (b"one", b"two")
    ]
    assert len(asked) == 2
    assert asked[0].startswith(b"POST /behind/v2/jobs:status HTTP/1.1\r\n")
    assert b"Authorization: Bearer key\r\n" in asked[0]
    assert asked[0].endswith(b"\r\n\r\n{}")


def test_a_connection_that_the_server_ended_meanwhile_is_made_anew(
    plain: Callable[[str], PlainHttp],
) -> None:
    with server(ok(b"one"), ok(b"two")) as (url, _):
        http = plain(url)
        replies = [http.reply(CALL, 5), http.reply(CALL, 5)]
    assert [reply and reply.content for reply in replies] == [b"one", b"two"]


def test_what_a_server_said_meanwhile_is_no_answer(plain: Callable[[str], PlainHttp]) -> None:
    """As gateways say of an idle connection that it has run out, before they end it."""
    late = b"HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answered, said = threading.Event(), threading.Event()

    def serve(listening: socket.socket) -> None:
        for answer in (ok(b"one"), ok(b"two")):
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as reading:
                request(reading)
                connection.sendall(answer)
                answered.wait(5)
                connection.sendall(late)
            said.set()

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(5)
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        http = plain(f"http://127.0.0.1:{listening.getsockname()[1]}")
        replies = [http.reply(CALL, 5)]
        answered.set()
        assert said.wait(5)
        replies.append(http.reply(CALL, 5))
        thread.join(5)
    assert [reply and reply.content for reply in replies] == [b"one", b"two"]


def test_a_connection_is_not_idle_for_long(
    plain: Callable[[str], PlainHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is between may have forgotten it, and tells nobody."""
    monkeypatch.setattr(plain_http, "_has_more", lambda _: False)
    with server(ok(b"one")) as (url, _):
        http = plain(url)
        http.reply(CALL, 5)
    [(line, since)] = http._idle
    http._idle[0] = (line, since - 5)
    assert http._idle_line() is None
    assert line.fileno() == -1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b'{"a": 1}'),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        % len(gzip.compress(b'{"a": 1}', mtime=0))
        + gzip.compress(b'{"a": 1}', mtime=0),
    ],
    ids=["in parts", "packed"],
)
def test_an_answer_that_is_not_plain_is_left_to_httpx(answer: bytes) -> None:
    with server(answer, answer) as (url, asked), Client(url) as client:
        assert client.get("/v2") == {"a": 1}
    assert b"Accept-Encoding: identity\r\n" in asked[0]
    assert b"User-Agent: wherry\r\n" in asked[0]


def test_a_path_of_a_server_stays_quoted(plain: Callable[[str], PlainHttp]) -> None:
    with server(ok(b"one")) as (url, asked):
        plain(f"{url}/a%2Fb/").reply(CALL, 5)
    assert asked[0].startswith(b"POST /a%2Fb/v2/jobs:status HTTP/1.1\r\n")


def test_a_server_that_is_not_there_is_told_by_its_address(
    plain: Callable[[str], PlainHttp],
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    reply = plain(f"http://127.0.0.1:{port}/behind").reply(CALL, 5)
    assert reply is not None
    assert reply.status == 0
    assert reply.failure.startswith(f"at http://127.0.0.1:{port} (")
    assert "refused" in reply.failure


def test_an_answer_that_breaks_off_is_a_failure(plain: Callable[[str], PlainHttp]) -> None:
    with server(ok(b"whole")[:-2]) as (url, _):
        reply = plain(url).reply(CALL, 5)
    assert reply is not None
    assert reply.status == 0


def test_a_redirect_is_left_to_httpx() -> None:
    with server(ok(b'{"name": "wherry"}')) as (there, asked):
        moved = b"HTTP/1.1 307 Moved\r\nLocation: %s/v2\r\nContent-Length: 0\r\n\r\n"
        with server(*[moved % there.encode()] * 2) as (url, _), Client(url) as client:
            assert client.get("/v2") == {"name": "wherry"}
    assert len(asked) == 1


@pytest.mark.parametrize(
    "path", ["/v2/models/bést", "/v2/a b", "/../v2", "/v2//jobs", "v2", "http://other/v2", "/v2#a"]
)
def test_a_path_that_is_to_be_made_plain_is_left_to_httpx(
    plain: Callable[[str], PlainHttp], path: str
) -> None:
    assert plain("http://127.0.0.1:1").reply(HttpRequest("GET", path), 5) is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://fleet", ""),
        ("http://who:secret@fleet", ""),
        ("http://fleet?a=b", ""),
        ("http://fleet", "http_proxy"),
        ("http://fleet", "ALL_PROXY"),
    ],
)
def test_a_server_that_is_not_plain_is_left_to_httpx(
    url: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    if proxy:
        monkeypatch.setenv(proxy, "http://proxy:3128")
    assert PlainHttp.to(url, {}) is None


def test_a_closed_one_is_told(plain: Callable[[str], PlainHttp]) -> None:
    http = plain("http://127.0.0.1:1")
    http.close()
    with pytest.raises(RuntimeError, match="closed"):
        http.reply(CALL, 5)
