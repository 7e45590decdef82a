from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
import trustme
import uvicorn

from wherry.tasks.egress.addresses import parse_networks
from wherry.tasks.egress.allowed import Allowed, NotAllowed, OutboundError
from wherry.tasks.egress.guard import OutboundGuard, lookup

from ...support.names import Names
from ...support.receiver import Receiver, status

HERE = parse_networks("127.0.0.1/32")
ANYONE = Allowed.of("http,https", "*:*", setting="WHERRY_URL")


def asked(
    guard: OutboundGuard, url: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    async def work() -> tuple[int, bytes]:
        try:
            async with guard.request("GET", url, headers=headers or {}) as response:
                return response.status_code, await response.aread()
        finally:
            await guard.close()

    return asyncio.run(work())


def test_a_request_goes_to_the_address_and_keeps_the_name(receiver: Receiver) -> None:
    receiver.answers["/a"] = status(200, b"file")
    guard = OutboundGuard(ANYONE, HERE, resolve=Names(files_test=[["127.0.0.1"]]))
    assert asked(guard, receiver.url("/a?b=1")) == (200, b"file")
    [request] = receiver.asked
    assert request.headers["host"] == f"files.test:{receiver.port}"
    assert request.path == "/a?b=1"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["169.254.169.254"],
        ["fe80::1%eth0"],
    ],
)
def test_a_name_at_any_private_address_is_refused_unasked(
    receiver: Receiver, addresses: list[str]
) -> None:
    guard = OutboundGuard(ANYONE, resolve=Names(files_test=[addresses]))
    with pytest.raises(NotAllowed, match="'files.test': not at a public address, nor in WHERRY_"):
        asked(guard, receiver.url())
    assert receiver.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "①②⑦.0.0.1",
        "0",
        "0.0.0.0",
        "localhost",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine_is_refused_however_it_is_written(receiver: Receiver, host: str) -> None:
    """By the system's own resolver, which reads octal, hexadecimal and short forms."""
    guard = OutboundGuard(ANYONE, resolve=lookup)
    with pytest.raises(OutboundError, match="not a URL|public address|cannot be resolved"):
        asked(guard, receiver.url(host=host))
    assert receiver.asked == []


def test_a_name_that_changes_its_mind_changes_nothing(receiver: Receiver) -> None:
    """DNS rebinding: what was checked is where the connection goes, so one question is asked."""
    receiver.answers["/"] = status(200)
    names = Names(files_test=[["127.0.0.1"], ["169.254.169.254"]])
    guard = OutboundGuard(ANYONE, HERE, resolve=names)
    assert asked(guard, receiver.url())[0] == 200
    assert names.questions == ["files.test"]


def test_the_next_address_is_tried_where_one_takes_no_connection(receiver: Receiver) -> None:
    receiver.answers["/"] = status(200)
    networks = parse_networks("127.0.0.0/8")
    guard = OutboundGuard(ANYONE, networks, resolve=Names(files_test=[["127.9.9.9", "127.0.0.1"]]))
    assert asked(guard, receiver.url())[0] == 200


def test_no_connection_is_told_without_the_address() -> None:
    guard = OutboundGuard(ANYONE, HERE, resolve=Names(files_test=[["127.0.0.1"]]))
    with pytest.raises(OutboundError, match=r"^host 'files.test': no connection$"):
        asked(guard, "http://files.test:1/")


def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(OutboundError, match="'files.test': the name cannot be resolved"):
        asked(OutboundGuard(ANYONE, resolve=Names()), "http://files.test/")


def test_proxies_of_the_environment_play_no_part(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers["/"] = status(200)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    guard = OutboundGuard(ANYONE, HERE, resolve=Names(files_test=[["127.0.0.1"]]))
    assert asked(guard, receiver.url())[0] == 200


def test_what_is_no_http_is_told(receiver: Receiver) -> None:
    receiver.answers["/"] = lambda handler: handler.wfile.write(b"220 mail ready\r\n")
    guard = OutboundGuard(ANYONE, HERE, resolve=Names(files_test=[["127.0.0.1"]]))
    with pytest.raises(OutboundError, match="broke off or is no HTTP"):
        asked(guard, receiver.url())


def test_cookies_of_one_answer_are_not_sent_with_the_next(receiver: Receiver) -> None:
    receiver.answers["/"] = status(200, set_cookie="session=1; Path=/")
    guard = OutboundGuard(ANYONE, HERE, resolve=Names(files_test=[["127.0.0.1"]]))

    async def work() -> None:
        for _ in range(2):
            async with guard.request("GET", receiver.url(), headers={}):
                pass
        await guard.close()

    asyncio.run(work())
    assert all("cookie" not in request.headers for request in receiver.asked)


async def tls_app(scope: object, receive: object, send: httpx.AsyncBaseTransport) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator] # an ASGI app
    await send({"type": "http.response.body", "body": b"safe"})  # type: ignore[operator] # likewise


@pytest.mark.parametrize(("name", "fits"), [("files.test", True), ("other.test", False)])
def test_the_certificate_must_be_the_names_own(name: str, fits: bool) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    guard = OutboundGuard(
        ANYONE,
        HERE,
        resolve=Names(files_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]]),
        transport=httpx.AsyncHTTPTransport(verify=context),
    )

    async def work() -> bytes:
        with authority.issue_cert("files.test").private_key_and_cert_chain_pem.tempfile() as pem:
            config = uvicorn.Config(tls_app, port=0, ssl_certfile=pem, log_level="critical")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 # uvicorn has no event for it
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            try:
                url = f"https://{name}:{port}/"
                async with guard.request("GET", url, headers={}) as response:
                    return await response.aread()
            finally:
                await guard.close()
                server.should_exit = True
                await task

    if fits:
        assert asyncio.run(work()) == b"safe"
    else:
        with pytest.raises(OutboundError, match="no connection: it has no trusted certificate"):
            asyncio.run(work())


def test_a_host_that_speaks_no_tls_is_told_so(receiver: Receiver) -> None:
    guard = OutboundGuard(ANYONE, HERE, resolve=Names(files_test=[["127.0.0.1"]]))
    with pytest.raises(OutboundError, match="speaks no TLS"):
        asked(guard, receiver.url().replace("http:", "https:"))
