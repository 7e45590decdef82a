"""The client's API key: where it comes from, where it goes, and where it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wherry.client import AsyncClient, Client
from wherry.protocol.errors import Forbidden, InvalidRequest, TenantLimit, Unauthorized

#: Status, headers, body: what a server answers to everything.
Answer = tuple[int, dict[str, str], bytes]


class Told:
    """A server that answers as it is told, and keeps the keys that it was sent."""

    def __init__(self, answer: Answer) -> None:
        told = self
        self.answer, self.keys = answer, list[str | None]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.keys.append(self.headers.get("Authorization"))
                status, headers, body = told.answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 # http.server's own names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its own word
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Callable[..., Told]]:
    servers = []

    def make(status: int = 200, body: bytes = b"{}", **headers: str) -> Told:
        servers.append(Told((status, headers, body)))
        return servers[-1]

    yield make
    for one in servers:
        one.close()


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WHERRY_API_KEY", "WHERRY_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def sent(told: Told, **fields: str) -> str | None:
    with Client(told.url, **fields) as client:  # type: ignore[arg-type] # only api_key is given
        client.get("/v2")
    return told.keys[-1]


def test_a_key_is_given_or_taken_from_the_environment_or_a_file(
    server: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told, file = server(), tmp_path / "key"
    file.write_text("wherry_c\n")
    assert sent(told) is None
    monkeypatch.setenv("WHERRY_API_KEY_FILE", str(file))
    assert sent(told) == "Bearer wherry_c"
    monkeypatch.setenv("WHERRY_API_KEY", "wherry_b")
    assert sent(told) == "Bearer wherry_b"
    assert sent(told, api_key="wherry_a") == "Bearer wherry_a"


def test_the_async_client_sends_it_too(server: Callable[..., Told]) -> None:
    told = server()

    async def ask() -> None:
        async with AsyncClient(told.url, api_key="wherry_a") as client:
            await client.get("/v2")

    asyncio.run(ask())
    assert told.keys == ["Bearer wherry_a"]


def test_a_redirect_to_elsewhere_does_not_get_the_key(server: Callable[..., Told]) -> None:
    """A presigned link goes to another server, which would also refuse a second signature."""
    elsewhere = server()
    told = server(307, Location=f"{elsewhere.url}/blob")
    assert sent(told, api_key="wherry_a") == "Bearer wherry_a"
    assert elsewhere.keys == [None]


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ä"])
def test_what_can_be_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Client("http://127.0.0.1", api_key=key)
    assert key not in refused.value.message


def test_a_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHERRY_API_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(InvalidRequest, match="WHERRY_API_KEY_FILE"):
        Client("http://127.0.0.1")


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Forbidden), (429, TenantLimit)]
)
def test_a_refusal_is_an_error_of_its_own(
    server: Callable[..., Told], status: int, error: type[Exception]
) -> None:
    for body in (b"<html>a proxy's</html>", b'{"error":"text","error_type":"odd"}'):
        told = server(status, body)
        with (
            Client(told.url, api_key="wherry_a", patience_s=0) as client,
            pytest.raises(error) as raised,
        ):
            client.get("/v2/jobs")
        assert len(told.keys) == 1
        assert ("WHERRY_API_KEY" in str(raised.value)) == (status == 401)
