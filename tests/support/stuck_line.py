"""A line to a server that gets stuck when a test says so: it stays open, and nothing comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self


class StuckLine:
    """Hands on what comes to its `port`, until `stick`. Use it in a `with` block."""

    def __init__(self, port: int) -> None:
        self.port, self._target = 0, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._goes = asyncio.Event()
        self._goes.set()

    def stick(self) -> None:
        """Hand on nothing more, either way."""
        self._loop.call_soon_threadsafe(self._goes.clear)

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

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)  # what was aborted is closed in the loop's next turns

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                await asyncio.gather(self._hand_on(reader, back), self._hand_on(there, writer))
            finally:
                for line in (writer, back):
                    line.transport.abort()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            await self._goes.wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()
