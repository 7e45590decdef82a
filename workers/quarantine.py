"""A job that was aboard a crash runs with nothing beside it in its process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..jobs.record import ClaimedJob
from ..protocol.errors import WherryError

log = logging.getLogger(__name__)


class Quarantine:
    """Batches run side by side; a suspect waits for them, and they for it.

    If the process dies meanwhile, there is no doubt whose fault it was: `note` has noted the
    suspect's id, and whoever takes the jobs back blames no other. "" says that it is over.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note_alone = note
        self._changed = threading.Condition()
        self._running = 0
        #: Suspects that run or wait to; while there are any, no other batch begins.
        self._suspects = 0

    @contextmanager
    def around(self, jobs: Sequence[ClaimedJob]) -> Iterator[None]:
        """Run a batch at the time that is right for it."""
        suspect = len(jobs) == 1 and jobs[0].is_suspect
        with self._changed:
            self._suspects += suspect
            self._changed.wait_for(lambda: not (self._running if suspect else self._suspects))
            self._running += 1
        try:
            if suspect:
                self._note(jobs[0].id)
            yield
        finally:
            if suspect:
                self._note("")
            with self._changed:
                self._running -= 1
                self._suspects -= suspect
                self._changed.notify_all()

    def _note(self, job_id: str) -> None:
        try:
            self._note_alone(job_id)
        except WherryError as error:
            log.warning("that %s runs alone could not be noted: %s", job_id, error.message)
