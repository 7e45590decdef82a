"""Batches of remote models: beside Celery's threads, so that a slow server keeps none of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from ..jobs.fleet import FleetView
from ..jobs.group import Group
from ..protocol.errors import WherryError
from .loaded_model import LoadedModel
from .models import Models

log = logging.getLogger(__name__)

#: Tickets that are kept in mind, at most: keepers replace what is lost.
_MOST_PARKED = 256


class Lanes:
    """A thread a batch, as many as the models have room for; they wait, and compute nothing.

    A ticket that comes while its model has no room is parked: it is asked for again when a batch
    has ended, or the server is back.
    """

    def __init__(
        self,
        models: Models,
        *,
        reissue: Callable[[Sequence[Group]], object],
        spent: Callable[[str, int, float], float],
    ) -> None:
        #: `spent` adds to what a model has cost on a day, and answers the sum.
        self._models, self._reissue, self._spent = models, reissue, spent
        self._changed = threading.Condition()
        self._running = 0
        self._parked: dict[str, Group] = {}

    def begin(self, model: LoadedModel, rows: int, work: Callable[[], object]) -> None:
        """Run a batch in a thread of its own."""
        with self._changed:
            self._running += 1
            model.held_rows += rows
        threading.Thread(
            target=self._run, args=(model, rows, work), name="wherry-lane", daemon=True
        ).start()

    def _run(self, model: LoadedModel, rows: int, work: Callable[[], object]) -> None:
        try:
            work()
        except WherryError as error:  # the lease finds what was left, and gives it back
            log.warning("a batch of %s was left: %s", model.declaration.name, error.message)
        finally:
            with self._changed:
                self._running -= 1
                model.held_rows -= rows
                self._changed.notify_all()
            self.look()

    def parks(self, hint: Group) -> bool:
        """Keep a ticket in mind, if it is for a remote model of ours."""
        if self._models.remote(hint.model_id) is None:
            return False
        with self._changed:
            if len(self._parked) < _MOST_PARKED:
                self._parked[hint.id] = hint
        return True

    def meter(self, fleet: FleetView) -> None:
        """Let each model take its part of its limits, and settle what it has spent."""
        live = [worker for worker in fleet.workers if worker.alive]
        for model in self._models:
            model_id = model.group_model_id
            if self._models.remote(model_id) is None:
                continue
            among = sum(w.serves(model_id) or model_id in w.away for w in live)
            try:
                model.backend.meter(among, partial(self._spent, model_id))
            except WherryError as error:  # at the next look
                log.debug("what %s has cost is not told yet: %s", model_id, error.message)

    def look(self) -> None:
        """Ask for those again that have room now."""
        with self._changed:
            ready = [hint for hint in self._parked.values() if self._has_room(hint)]
            for hint in ready:
                del self._parked[hint.id]
        if not ready:
            return
        try:
            self._reissue(ready)
        except WherryError as error:  # keepers replace them
            log.debug("tickets are not asked for again: %s", error.message)

    def _has_room(self, hint: Group) -> bool:
        model = self._models.remote(hint.model_id)
        return model is None or model.room > 0

    def end(self, within_s: float) -> None:
        """Wait for the batches; what has no request under way ends at once, the rest in time."""
        for model in self._models:
            model.backend.interrupt()
        with self._changed:
            if self._changed.wait_for(lambda: not self._running, within_s):
                return
        for model in self._models:
            model.backend.interrupt(all_of_them=True)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, within_s)
