"""Models that no worker can load: the fleet is told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..jobs.call import Queue
from ..jobs.failed import begin_load, end_load, set_failed
from ..jobs.fleet import FleetView, view
from ..jobs.settings import JobsSettings
from ..protocol.errors import WherryError
from ..tasks.backends.base import ModelRefused
from .identity import is_gone
from .models import Models

#: Processes that a model may end while it loads, before it is left out.
_MOST_ENDS = 2


class Failures:
    """Tells of the models that failed here.

    A model is failed for the fleet, and its jobs are refused, when no live worker serves it or is
    still to load it.
    """

    def __init__(
        self,
        models: Models,
        queue: Queue,
        settings: JobsSettings,
        *,
        beat: Callable[[], None],
    ) -> None:
        self._models, self._queue, self._settings, self._beat = models, queue, settings, beat

    def announce(self) -> None:
        """Let the fleet know now."""
        self._beat()
        self.look(self._queue.run(view(self._settings)))

    def info(self) -> dict[str, object]:
        """What the heartbeat carries of them, by `Group.model_id`."""
        return {"failed": self._models.failed, "loading": self._models.loading}

    def look(self, fleet: FleetView) -> None:
        """Say which models no worker can serve."""
        reasons = failed_everywhere(fleet)
        if reasons or fleet.failed:
            self._queue.run(set_failed(reasons, self._settings))
        self._models.refuse(reasons)


def failed_everywhere(fleet: FleetView) -> dict[str, str]:
    """Why, by model id, for the models that no live worker serves or is still to load."""
    failed: dict[str, str] = {}
    # One that died just now while it loaded would have the others wait for its lease to end.
    live = [w for w in fleet.workers if w.alive and not is_gone(dict(w.info))]
    for worker in live:
        failed |= worker.failed
    return {
        model_id: why
        for model_id, why in sorted(failed.items())
        if not any(
            worker.serves(model_id) or worker.loads(model_id) or model_id in worker.away
            for worker in live
        )
    }


@contextmanager
def counted(node: str, queue: Queue, settings: JobsSettings, model_id: str) -> Iterator[None]:
    """Count a load until it ends, so that a process that dies of it is known to the next.

    Raises ModelRefused when two have died already; the count then begins anew.
    """
    ends = queue.run(begin_load(node, model_id, settings))
    try:
        if ends >= _MOST_ENDS:
            raise ModelRefused(
                f"the worker's process died {ends} times while it loaded: is there memory for it?"
            )
        yield
    finally:
        with contextlib.suppress(WherryError):  # its time runs out
            queue.run(end_load(node, model_id, settings))
