"""Changes of runs as they happen, for whoever watches one or all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

#: Runs that a watcher has yet to look at, at most.
_MOST = 1000


class RunWatch:
    """What one watcher has yet to look at: runs, each once however often it changed."""

    def __init__(self, run_id: str) -> None:
        """Hear of one run, or of all for ""."""
        self._run_id = run_id
        self._changed: dict[str, None] = {}
        self._event = asyncio.Event()
        #: Whether there were changes that it did not hear of.
        self.missed = False

    def note(self, run_id: str) -> None:
        """Tell it of a change; "" says that some may have been missed."""
        if self._run_id and run_id and run_id != self._run_id:
            return
        if run_id and len(self._changed) < _MOST:
            self._changed[run_id] = None
        else:
            self.missed = True
        self._event.set()

    async def heard(self, seconds: float) -> list[str]:
        """Wait for changes, or for some seconds; the runs that changed."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
        self._event.clear()
        changed = list(self._changed)
        self._changed.clear()
        return changed


class RunFeed:
    """Hands each change to all who watch."""

    def __init__(self) -> None:
        self._watchers: set[RunWatch] = set()

    def __len__(self) -> int:
        return len(self._watchers)

    @contextmanager
    def watching(self, run_id: str = "") -> Iterator[RunWatch]:
        """Hear of a run, or of all, from now on."""
        watch = RunWatch(run_id)
        self._watchers.add(watch)
        try:
            yield watch
        finally:
            self._watchers.discard(watch)

    def tell(self, run_id: str) -> None:
        """Tell of a change; "" of a gap."""
        for watch in self._watchers:
            watch.note(run_id)
