"""The running batch of a model: rows of any request join it, and leave when they have ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from .....protocol.errors import BackendError
from ...device import Device
from .continuous_loop import PAGE, Loop, News, RunningRow

log = logging.getLogger(__name__)

#: Seconds without news after which a row looks whether the thread still lives.
_LOOK_S = 1.0

#: Such looks at a thread that does nothing, though rows wait for it, before it is given up.
_PATIENCE = 30

#: Seconds that the thread may take to end; it looks once a step.
_END_S = 30.0

_CLOSED = "the model is closed"


class BrokenLoopError(Exception):
    """The thread died or stands still, and with it the rows that it had."""


class RunningBatch:
    """Rows that are written together, a token a step; the thread starts with the first of them.

    `cache_tokens` bounds the tokens of all rows that run; more rows wait. Several threads may
    `follow` rows at once.
    """

    def __init__(self, model: Any, device: Device, *, cache_tokens: int, step_tokens: int) -> None:
        self._model, self._device = model, device
        self._pages, self._step_tokens = -(-cache_tokens // PAGE), step_tokens
        self._lock = threading.Lock()
        self._loop: Loop | None = None
        self._closed = False

    @property
    def capacity(self) -> int:
        """The most tokens that one row can have, those of its prompt included."""
        return self._pages * PAGE

    def follow(
        self, rows: Sequence[RunningRow], news: SimpleQueue[News]
    ) -> Generator[RunningRow, None, None]:
        """Yield a row whenever it has new tokens, until all have ended.

        Whoever follows may set `ended` of a row it was given: the row leaves then. Raises
        BrokenLoopError, with the rows not ended as they were.
        """
        loop = self._running()
        try:
            if not all(loop.add(row) for row in rows):
                raise BrokenLoopError("the thread takes no more rows")
            while not all(row.ended for row in rows):
                row, tokens, ended, error = self._next(loop, news)
                if row.ended:
                    continue  # a step that was under way when it left
                if error is not None:
                    raise BackendError(_CLOSED) if self._closed else BrokenLoopError(error)
                row.tokens = tokens
                yield row
                if row.ended and not ended:
                    loop.cancel_request(row.id)
                row.ended = row.ended or ended
        except BrokenLoopError:
            self._drop(loop)  # before anything else needs its memory
            raise
        finally:
            for row in rows:
                loop.remove(row)

    def close(self) -> None:
        """End the thread, and with it the rows that run."""
        self._closed = True
        if self._loop:
            self._drop(self._loop)

    def _running(self) -> Loop:
        with self._lock:
            if self._closed:
                raise BackendError(_CLOSED)
            if self._loop is None:
                self._loop = Loop(
                    self._model, self._device, pages=self._pages, step_tokens=self._step_tokens
                )
                self._loop.start()
            return self._loop

    def _next(self, loop: Loop, news: SimpleQueue[News]) -> News:
        steps, idle = loop.steps, 0
        while True:
            alive = loop.is_running()
            try:
                return news.get(timeout=_LOOK_S if alive else 0)
            except Empty:
                if self._closed:
                    raise BackendError(_CLOSED) from None
                if not alive:
                    raise BrokenLoopError("the thread is gone") from None
            idle = idle + 1 if loop.steps == steps and not loop.busy else 0
            steps = loop.steps
            if idle >= _PATIENCE:
                raise BrokenLoopError("the thread does nothing")

    def _drop(self, loop: Loop) -> None:
        with self._lock:
            if self._loop is not loop:
                return
            self._loop = None
            loop.stop(timeout=_END_S, hard_stop=True)
        if loop.is_running():
            log.warning("the thread of continuous batching goes on; it ends with the process")
