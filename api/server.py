"""`python -P -m wherry.api.server ...`: uvicorn's command line, with a server that sleeps while
nothing happens. Uvicorn's own wakes ten times a second, a tenth of what an idle fleet takes.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import importlib
import os
import shutil
import signal
import tempfile
import time
from email.utils import formatdate
from types import FrameType
from typing import Any

from uvicorn import Config, Server
from uvicorn.server import ServerState

from ..telemetry.metrics_page import SHARED_FOLDER
from .http.draining import draining

#: Headers as ASGI has them.
_Headers = list[tuple[bytes, bytes]]


class _DatedState(ServerState):
    """Its headers of every response say the date as of when they are asked for."""

    def __init__(self, config: Config) -> None:
        self._config, self._second, self._headers = config, -1, _Headers()
        super().__init__()

    @property
    def default_headers(self) -> _Headers:
        second = int(time.time())
        if second != self._second:
            date = [(b"date", formatdate(second, usegmt=True).encode())]
            dated = date if self._config.date_header else []
            self._second, self._headers = second, dated + self._config.encoded_headers
        return self._headers

    @default_headers.setter
    def default_headers(self, _: _Headers) -> None:  # pyright: ignore[reportIncompatibleVariableOverride] # a list that uvicorn sets each second
        """Nothing: it is what it is asked for."""


class RestingServer(Server):
    """A server that wakes for requests and signals alone, unless a setting needs its clock."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.workers > 1:
            _share_metrics()
        self.server_state = _DatedState(config)
        self._signaled = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drains = False

    async def main_loop(self) -> None:
        """Wait until it shall end."""
        if self.config.limit_max_requests is not None or self.config.callback_notify is not None:
            return await super().main_loop()
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:  # a signal that comes from here on is heard
            await self._signaled.wait()
        if self._drains:
            await self._drain()
        return None

    async def _drain(self) -> None:
        """Go on for a while, saying that it is not ready; a second signal ends that."""
        self._signaled.clear()
        draining.begin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(draining.delay_s):
                await self._signaled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, as a signal asks for."""
        super().handle_exit(sig, frame)
        self._drains = sig == signal.SIGTERM  # Ctrl-C means now
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._signaled.set)


def _share_metrics() -> None:
    """Give the processes that will share this one's port a folder for the values of their metrics:
    whichever of them is asked answers for all.
    """
    if not os.environ.get(SHARED_FOLDER):
        os.environ[SHARED_FOLDER] = folder = tempfile.mkdtemp(prefix="wherry-metrics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def main() -> None:
    """Run uvicorn's command line."""
    gc.disable()  # until the app stands, which freezes what is there: nothing of it is garbage
    uvicorn: Any = importlib.import_module(
        "uvicorn.main"
    )  # the package has a function of that name
    uvicorn.Server = RestingServer
    uvicorn.main(prog_name="uvicorn")


if __name__ == "__main__":
    main()
