"""A load of many keep-alive connections, light enough to leave the cores to the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvloop


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to send."""

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def wire(self, host: str) -> bytes:
        """The bytes of it."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load saw."""

    seconds: float
    latencies_s: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Latency in ms that a share of the requests stayed under."""
        ordered = sorted(self.latencies_s)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


async def _connection(url: str, wires: list[bytes], latencies: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        while wires:
            wire, started = wires.pop(), time.perf_counter()
            writer.write(wire)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            body = await _body(reader, head.lower())
            if status >= 300:
                raise RuntimeError(f"status {status}: {body[:300]!r}")
            latencies.append(time.perf_counter() - started)
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length"):
            return await reader.readexactly(int(line.split(b":")[1]))
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(chunks)


def run(
    url: str, requests: Sequence[Request], connections: int, *, patience_s: float | None = None
) -> Measured:
    """Send all requests over some connections; raises RuntimeError when one fails, or when they
    take longer than `patience_s`.
    """
    host = urlsplit(url).netloc
    wires = [request.wire(host) for request in reversed(requests)]
    latencies: list[float] = []

    async def everything() -> None:
        async with asyncio.timeout(patience_s), asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(_connection(url, wires, latencies))

    started = time.perf_counter()
    try:
        uvloop.run(everything())
    except TimeoutError:
        answered = f"{len(latencies)} of {len(requests)} requests answered"
        raise RuntimeError(f"after {patience_s:.0f} s {answered}") from None
    except ExceptionGroup as group:  # the first one's: it ends the others
        error = group.exceptions[0]
        raise RuntimeError(f"{type(error).__name__}: {error}") from group
    return Measured(time.perf_counter() - started, tuple(latencies))
