"""TLS before a Redis that speaks none, as stunnel does it; the certificates are a day's."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import trustme


@dataclass(frozen=True)
class Papers:
    """An authority and what it vouches for, as PEM files."""

    authority: trustme.CA
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Papers:
        """A new authority, known to nobody."""
        folder.mkdir()
        papers = cls(trustme.CA(), folder)
        papers.authority.cert_pem.write_to_path(papers.ca)
        return papers

    @property
    def ca(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "ca.pem"

    def issue(self, *names: str) -> dict[str, str]:
        """A certificate and its key, as redis-py's URL parameters name them."""
        issued = self.authority.issue_cert(*names)
        cert, key = self.folder / f"{names[0]}.pem", self.folder / f"{names[0]}.key"
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(cert)  # the authority itself signs: no more of them
        return {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}


class Door:
    """A TLS port before a plain one."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._target, self._context = port, context
        self._lines: set[asyncio.StreamWriter] = set()
        #: The ports from which it goes on to Redis, as CLIENT LIST shows them.
        self.ports: set[int] = set()
        #: TLS version and the caller's names, of each handshake that went well.
        self.met: list[tuple[str, list[str]]] = []

    @classmethod
    def before(cls, port: int, papers: Papers, *names: str, clients: Path | None = None) -> Door:
        """A door whose certificate is for these names.

        `clients` is an authority: callers must show a certificate of its making.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = papers.issue(*names)
        context.load_cert_chain(issued["ssl_certfile"], issued["ssl_keyfile"])
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return cls(port, context)

    def url(self, scheme: str = "rediss", host: str = "localhost", **params: str) -> str:
        """Where it answers, with URL parameters."""
        query = urlencode(params)
        return f"{scheme}://{host}:{self.port}/0" + (f"?{query}" if query else "")

    def cut_all(self) -> int:
        """Break every connection there is. Answers how many."""
        return asyncio.run_coroutine_threadsafe(self._cut_all(), self._loop).result(10)

    async def _cut_all(self) -> int:
        lines = list(self._lines)
        for line in lines:
            line.transport.abort()
        return len(lines)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = writer.get_extra_info("ssl_object")
        names = (tls.getpeercert() or {}).get("subjectAltName", ())
        self.met.append((tls.version(), [name for _, name in names]))
        try:
            behind, onward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self.ports.add(onward.get_extra_info("sockname")[1])
        ends = {writer, onward}
        self._lines |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, onward))
                both.create_task(_copy(behind, writer))
        finally:
            self._lines -= ends

    def __enter__(self) -> Door:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="tls-door", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(
            self._hand_on, "127.0.0.1", 0, ssl=self._context, backlog=128
        )
        self.port: int = server.sockets[0].getsockname()[1]
        ready.set()
        await self._end.wait()
        server.close()
        await self._cut_all()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Hand bytes on until either end is gone; then both are."""
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()
