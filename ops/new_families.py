"""Families of models that models.toml gets while a stack runs: a worker is started for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ..jobs import JobsSettings
from ..jobs.call import Queue
from ..jobs.failed import load_requests
from ..protocol.errors import WherryError
from ..tasks.catalog import CatalogError
from ..tasks.models_file import load_catalog

#: Seconds between two looks at whether the fleet was asked to load something.
_LOOK_EVERY_S = 1.0


class NewFamilies:
    """Calls `on_families` with those of models.toml whenever the fleet was asked to read it."""

    def __init__(
        self,
        models: Path,
        redis_url: str,
        jobs: JobsSettings,
        on_families: Callable[[Sequence[str]], None],
    ) -> None:
        self._models, self._jobs, self._on_families = models, jobs, on_families
        self._queue = Queue(redis_url)
        self._halt = threading.Event()
        self._seen: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, name="new-families", daemon=True)

    def note(self) -> None:
        """Note what was asked for until now: it is no news. Raises Unavailable."""
        self._seen = self._queue.run(load_requests(self._jobs))

    def start(self) -> None:
        """Look from now on, from a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking, and let a call end."""
        self._halt.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._queue.close()

    def _watch(self) -> None:
        while not self._halt.wait(_LOOK_EVERY_S):
            try:
                asked = self._queue.run(load_requests(self._jobs))
            except WherryError:  # whoever asked is told
                continue
            if asked != self._seen:
                self._seen = asked
                self._look()

    def _look(self) -> None:
        try:
            families = load_catalog(self._models, families=()).families()
        except CatalogError:  # the API tells what is wrong with it
            return
        self._on_families(families)
