"""Payloads that a worker does not find: another may, so their jobs go back, but only so often."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..jobs.call import Queue
from ..jobs.finish import give_up_missed, release
from ..jobs.record import ClaimedJob, by_group
from ..jobs.settings import JobsSettings
from ..protocol.errors import BackendError, NotFound, WherryError
from .belonging import Belonging

log = logging.getLogger(__name__)

#: Times that a payload is looked for in a store which is the fleet's.
MOST_MISSED = 3

Payload = bytes | WherryError


class Missed:
    """Gives back what one worker could not find."""

    def __init__(
        self, worker: str, queue: Queue, settings: JobsSettings, belonging: Belonging
    ) -> None:
        self._worker, self._queue, self._settings = worker, queue, settings
        self._belonging = belonging

    def sort_out(
        self, jobs: Sequence[ClaimedJob], payloads: Sequence[Payload]
    ) -> tuple[list[ClaimedJob], list[Payload]]:
        """The jobs that are to be run or to fail, with their payloads; the others go back."""
        pairs = list(zip(jobs, payloads, strict=True))
        missed = [job for job, payload in pairs if isinstance(payload, NotFound)]
        lost = self._give_back(missed) if missed else frozenset()
        kept = [
            (job, _gone(payload) if isinstance(payload, NotFound) else payload)
            for job, payload in pairs
            if not isinstance(payload, NotFound) or job.id in lost
        ]
        return [job for job, _ in kept], [payload for _, payload in kept]

    def _give_back(self, missed: Sequence[ClaimedJob]) -> frozenset[str]:
        """The ids of those that were looked for in vain often enough."""
        lost = frozenset[str]()
        try:
            blamed = self._belonging.look()  # another store says nothing about them
            for group, jobs in by_group(missed).items():
                if not blamed:
                    self._queue.run(release(group, self._worker, jobs, self._settings))
                    continue
                given = give_up_missed(group, self._worker, jobs, MOST_MISSED, self._settings)
                again = self._queue.run(given)
                lost |= again
        except (
            WherryError
        ) as error:  # the lease finds that we do not hold them, and gives them back
            log.warning("%d jobs go back later: %s", len(missed), error.message)
            return lost
        log.warning(
            "%d payloads were not found: %d jobs go back, %d have failed",
            len(missed),
            len(missed) - len(lost),
            len(lost),
        )
        return lost


def _gone(error: NotFound) -> BackendError:
    return BackendError(
        f"the payload is gone: {error.message}, and {MOST_MISSED} looks in this fleet's blob store"
        " found none"
    )
