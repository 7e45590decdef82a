"""The sweep of the blob store: a thread in every worker, of which one a period does the work."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..jobs.orphans import SharedStoreError, Sweeper
from ..jobs.settings import JobsSettings
from ..protocol.errors import WherryError
from .threads import Every

log = logging.getLogger(__name__)

#: Seconds between two looks whether a sweep is due.
_LOOK_S = 60.0


class Sweeping:
    """Sweeps when it is due. A store that is slow or odd holds up nothing else here."""

    def __init__(
        self,
        sweeper: Sweeper,
        settings: JobsSettings,
        *,
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        self._sweeper, self._wanted, self._may = sweeper, settings.sweep_every_s > 0, may
        self._thread = Every("wherry-sweeper", min(_LOOK_S, settings.sweep_every_s), self._tick)

    def start(self) -> None:
        """Start looking, unless sweeping is off."""
        if self._wanted:
            self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._thread.stop()

    def _tick(self) -> None:
        try:
            if self._may() and self._sweeper.due():
                gone = self._sweeper.expired.remove()
                log.info("%s had expired", gone)
                swept = self._sweeper.sweep()
                log.info("swept the blob store: %d of %d were orphans", swept.removed, swept.seen)
        except (SharedStoreError, WherryError) as error:
            log.warning("the blob store is not swept: %s", error)
        except Exception:  # jobs are served all the same, and blobs can wait
            log.exception("the blob store is not swept")
