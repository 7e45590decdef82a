"""A balancer as Kubernetes' is one: TCP, to whichever servers say that they are ready.

Where none does, all are used: as Envoy and Amazon's do it, and as Kubernetes has it when what
readiness asks for is patient enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Sequence
from typing import Self

#: Seconds between two looks, and looks in a row that say no before a server gets nothing more.
_EVERY_S, _FAILURES = 0.25, 2


class Balancer:
    """Listens on a port of its own, `port`, in front of others. Use it in a `with` block."""

    def __init__(self, ports: Sequence[int], path: str = "/v2/health/ready") -> None:
        self.port = 0
        self._failures = dict.fromkeys(ports, _FAILURES)
        self._turns, self._path = itertools.cycle(ports), path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def ready(self) -> list[int]:
        """The servers that new connections go to."""
        return [port for port, failures in self._failures.items() if failures < _FAILURES]

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._looks = [asyncio.create_task(self._look(port)) for port in self._failures]

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, port: int) -> None:
        while True:
            failed = not await self._says_ready(port)
            self._failures[port] = self._failures[port] + 1 if failed else 0
            await asyncio.sleep(_EVERY_S)

    async def _says_ready(self, port: int) -> bool:
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(
                    f"GET {self._path} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n".encode()
                )
                status = await reader.readline()
                writer.close()
                return b" 200 " in status
        except (OSError, TimeoutError):
            return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = self.ready() or list(self._failures)
        port = next(port for port in self._turns if port in ready)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, forth), _pump(back, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
