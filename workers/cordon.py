"""Whether an operator wants this worker to claim no more, and to end once nothing runs."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

from ..jobs.call import Queue
from ..jobs.drain import drain_asked, undrain
from ..jobs.settings import JobsSettings
from .identity import Identity

log = logging.getLogger(__name__)


def end_in_order() -> None:
    """End this process as its supervisor would: Celery finishes, then says goodbye."""
    os.kill(os.getpid(), signal.SIGTERM)


class Cordon:
    """What an operator asked of one worker process. Threads share it.

    A keeper looks often: the word comes through Redis, so it reaches a worker on any machine.
    """

    def __init__(
        self,
        identity: Identity,
        queue: Queue,
        settings: JobsSettings,
        *,
        idle: Callable[[], bool],
        changed: Callable[[], None],
        end: Callable[[], None] = end_in_order,
    ) -> None:
        self._identity, self._queue, self._settings = identity, queue, settings
        #: Says whether this worker holds nothing; hears of each change, to tell others.
        self._idle, self._changed, self._end = idle, changed, end
        self._on = threading.Event()
        self._ending = False

    @property
    def on(self) -> bool:
        """Whether this worker is to claim no more."""
        return self._on.is_set()

    @property
    def reason(self) -> str:
        """Why it serves nothing; "" when it may."""
        back = f"`wherry undrain {self._identity.node}` lets it serve again"
        return f"drained by an operator: {back}" if self.on else ""

    def look(self) -> None:
        """Ask what is asked of us, and heed it. Raises Unavailable."""
        asked = self._queue.run(drain_asked(self._identity.node, self._settings))
        if asked and asked.ends not in ("", self._identity.id):
            # For the process before, which has ended; or for another that bears our name, which
            # takes the word back when it ends.
            asked = None
        if (asked is not None) != self.on:
            self._heed(on=asked is not None)
        if asked and asked.ends and not self._ending and self._idle():
            self._ending = True
            log.warning("drained: this worker ends, as an operator asked")
            self._queue.run(undrain(self._identity.node, self._settings))
            self._end()

    def _heed(self, *, on: bool) -> None:
        if on:
            self._on.set()
            log.warning("an operator drains this worker: it finishes what runs and claims no more")
        else:
            self._on.clear()
            log.warning("this worker is drained no longer: it serves")
        self._changed()
