"""Whom the client trusts for https://: WHERRY_CA_FILE's authorities besides the usual ones."""

from __future__ import annotations

import ast
import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from wherry.client import AsyncClient, Client
from wherry.client.errors import UsageError
from wherry.protocol.errors import Unavailable

ROOT = Path(__file__).parents[2]

#: Calls of httpx that open connections.
OPENS = {"get", "post", "put", "delete", "request", "stream", "Client", "AsyncClient"}


class Answering(BaseHTTPRequestHandler):
    """Answers `{}` to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its own word
        pass


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def url(authority: trustme.CA) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def ask(url: str) -> Any:
    with Client(url, patience_s=0) as client:
        return client.get("/v2")


def ask_async(url: str) -> Any:
    async def asked() -> Any:
        async with AsyncClient(url, patience_s=0) as client:
            return await client.get("/v2")

    return asyncio.run(asked())


@pytest.mark.parametrize("ask", [ask, ask_async])
def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    ask: Callable[[str], Any],
    url: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WHERRY_CA_FILE", raising=False)
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        ask(url)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("WHERRY_CA_FILE", str(tmp_path / "ca.pem"))
    assert ask(url) == {}


@pytest.mark.parametrize(("text", "said"), [(None, "No such file"), ("x", "holds no certificate")])
def test_a_file_of_no_use_is_named(
    text: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("WHERRY_CA_FILE", str(path))
    with pytest.raises(UsageError, match=f"WHERRY_CA_FILE: {path}: {said}"):
        AsyncClient("https://localhost:1")


def test_every_connection_of_ours_asks_whom_to_trust() -> None:
    """One that does not would fail where the others work."""
    calls = [
        (path.name, node)
        for room in ("client", "runs")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr in OPENS) == (httpx.__name__, True)
    ]
    assert len(calls) > 3
    assert [
        (name, node.lineno)
        for name, node in calls
        if "verify" not in {k.arg for k in node.keywords}
    ] == []
