from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from http.server import BaseHTTPRequestHandler

import pytest

from wherry.tasks.egress.addresses import parse_networks
from wherry.tasks.egress.allowed import Allowed, NotAllowed, OutboundError
from wherry.tasks.egress.fetch import FetchBudget, FetchLimits, fetch
from wherry.tasks.egress.guard import OutboundGuard

from ...support.names import Names
from ...support.receiver import Receiver, status

HERE = parse_networks("127.0.0.1/32")
LIMITS = FetchLimits(max_bytes=1000, timeout_s=5.0, max_redirects=2)


def fetched(
    url: str,
    limits: FetchLimits = LIMITS,
    *,
    budget: int = 10_000,
    hosts: str = "files.test:* other.test:*",
    names: Names | None = None,
) -> bytes:
    guard = OutboundGuard(
        Allowed.of("http", hosts, setting="WHERRY_URL"),
        HERE,
        resolve=names or Names(files_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]]),
    )

    async def work() -> bytes:
        try:
            return await fetch(guard, url, limits, FetchBudget(budget))
        finally:
            await guard.close()

    return asyncio.run(work())


def test_a_file_comes_as_it_is(receiver: Receiver) -> None:
    receiver.answers["/a.png"] = status(200, b"\x89PNG", content_type="image/png")
    assert fetched(receiver.url("/a.png?signature=x")) == b"\x89PNG"
    [request] = receiver.asked
    assert request.headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie", "referer"} & set(request.headers)


def test_a_few_redirects_are_followed_and_each_is_checked(receiver: Receiver) -> None:
    receiver.answers["/1"] = status(302, location="/2")
    receiver.answers["/2"] = status(308, location=receiver.url("/3", host="other.test"))
    receiver.answers["/3"] = status(200, b"there")
    assert fetched(receiver.url("/1")) == b"there"
    assert receiver.asked[-1].headers["host"].startswith("other.test")
    with pytest.raises(OutboundError, match="more than 1 redirects"):
        fetched(receiver.url("/1"), LIMITS._replace(max_redirects=1))


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("http://private.test/latest/meta-data", "'private.test': not at a public address"),
        ("http://169.254.169.254/latest/meta-data", "'169.254.169.254' is not in WHERRY_URL_HOSTS"),
        ("http://evil.example/", "'evil.example' is not in WHERRY_URL_HOSTS"),
        ("file:///etc/passwd", "scheme 'file' is not allowed"),
        ("gopher://files.test/", "scheme 'gopher' is not allowed"),
        ("https://files.test/", "scheme 'https' is not allowed"),
        ("http://me:secret@files.test/", "no user and password"),
        ("http://files.test:port/", "redirects to no URL"),
    ],
)
def test_a_redirect_to_what_is_not_allowed_is_not_followed(
    receiver: Receiver, location: str, says: str
) -> None:
    receiver.answers["/"] = status(302, location=location)
    names = Names(files_test=[["127.0.0.1"]], private_test=[["10.0.0.1"]])
    with pytest.raises(OutboundError, match=says.replace("(", "\\(")):
        fetched(receiver.url(), hosts="files.test:* private.test", names=names)
    assert len(receiver.asked) == 1


def test_a_name_is_checked_again_at_a_redirect_to_itself(receiver: Receiver) -> None:
    receiver.answers["/"] = status(302, location="/again")
    names = Names(files_test=[["127.0.0.1"], ["169.254.169.254"]])
    with pytest.raises(NotAllowed, match="not at a public address"):
        fetched(receiver.url(), names=names)


def test_a_redirect_without_a_place_is_told(receiver: Receiver) -> None:
    receiver.answers["/"] = status(302)
    with pytest.raises(OutboundError, match="'files.test': redirects to no URL"):
        fetched(receiver.url())


@pytest.mark.parametrize("code", [204, 206, 401, 404, 500])
def test_an_answer_that_is_no_file_is_told(receiver: Receiver, code: int) -> None:
    receiver.answers["/"] = status(code)
    with pytest.raises(OutboundError, match=f"^host 'files.test': answered {code}$"):
        fetched(receiver.url("/?secret=1"))


def test_a_file_that_says_it_is_too_large_is_not_read(receiver: Receiver) -> None:
    receiver.answers["/"] = status(200, content_length="1001")
    with pytest.raises(OutboundError, match="the file is over 1000 bytes"):
        fetched(receiver.url())


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 500)


def test_an_endless_file_is_read_up_to_the_limit(receiver: Receiver) -> None:
    receiver.answers["/"] = endless
    with pytest.raises(OutboundError, match="the file is over 1000 bytes"):
        fetched(receiver.url())


def test_files_together_have_a_limit(receiver: Receiver) -> None:
    receiver.answers["/"] = status(200, b"x" * 900)
    assert len(fetched(receiver.url(), budget=900)) == 900
    with pytest.raises(OutboundError, match="over WHERRY_MAX_BODY_BYTES together"):
        fetched(receiver.url(), budget=899)


def test_a_slow_file_is_given_up(receiver: Receiver) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.open.wait(0.05):
            handler.wfile.write(b"x")  # a byte now and then, so that no single step is late

    receiver.answers["/"] = slow
    began = time.monotonic()
    with pytest.raises(OutboundError, match="'files.test': not done in 0.3 s"):
        fetched(receiver.url(), LIMITS._replace(timeout_s=0.3))
    assert time.monotonic() - began < 15


def test_redirects_take_of_the_same_time(receiver: Receiver) -> None:
    def late(handler: BaseHTTPRequestHandler) -> None:
        receiver.open.wait(0.2)
        status(302, location="/")(handler)

    receiver.answers["/"] = late
    with pytest.raises(OutboundError, match="not done in 0.5 s"):
        fetched(receiver.url(), FetchLimits(1000, timeout_s=0.5, max_redirects=100))


def test_a_file_that_ends_too_soon_is_no_file(receiver: Receiver) -> None:
    receiver.answers["/"] = status(200, b"half", content_length="8")
    with pytest.raises(OutboundError, match="broke off"):
        fetched(receiver.url())


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)],
)
def test_what_is_compressed_all_the_same_is_inflated(receiver: Receiver, encoding, pack) -> None:
    receiver.answers["/"] = status(200, pack(b"x" * 1000), content_encoding=encoding)
    assert fetched(receiver.url()) == b"x" * 1000


def test_a_bomb_is_not_inflated(receiver: Receiver) -> None:
    bomb = gzip.compress(bytes(3 * 10**7))
    receiver.answers["/"] = status(200, bomb, content_encoding="gzip")
    limits = LIMITS._replace(max_bytes=1_000_000)
    began = time.process_time()
    with pytest.raises(OutboundError, match="the file is over 1000000 bytes"):
        fetched(receiver.url(), limits, budget=10**9)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        ("gzip", b"not gzip", "the answer is no gzip"),
        ("gzip", gzip.compress(b"x" * 100, mtime=0)[:-9], "the answer is no gzip"),
        ("br", b"x", "answers in 'br', which nobody asked for"),
        ("gzip, gzip", b"x", "answers in 'gzip, gzip'"),
    ],
)
def test_another_encoding_is_told(
    receiver: Receiver, encoding: str, body: bytes, says: str
) -> None:
    receiver.answers["/"] = status(200, body, content_encoding=encoding)
    with pytest.raises(OutboundError, match=says):
        fetched(receiver.url())
