"""Models that come and go while the worker runs: what is asked for is loaded, what left closed."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping

from ..jobs.call import Queue
from ..jobs.declared import forget_leaving, leaving, load_configs, set_leaving
from ..jobs.facts import tell_facts
from ..jobs.failed import ALL, set_cold
from ..jobs.fleet import FleetView, busy, view
from ..jobs.proof import shown
from ..jobs.settings import JobsSettings
from ..protocol.errors import WherryError
from ..tasks.catalog import Catalog, CatalogError, ModelDeclaration
from ..tasks.load_config import with_configs
from .memory import Memory
from .models import Models

log = logging.getLogger(__name__)


class Changes:
    """Heeds what operators ask of the models: to read models.toml again, to load, to unload.

    Each look holds what is loaded against what should be, so nothing is lost with a message. Loads
    are made by one thread at a time, while others serve.
    """

    def __init__(
        self,
        models: Models,
        queue: Queue,
        settings: JobsSettings,
        *,
        declared: Callable[[], Catalog],
        announce: Callable[[], None],
        memory: Memory | None = None,
    ) -> None:
        self._memory = memory or Memory()
        self._models, self._queue, self._settings = models, queue, settings
        self._declared, self._announce = declared, announce
        #: The last request to load each model that was heeded; ALL is there from the start, by
        #: which the API knows who heeds any.
        self._heeded: dict[str, int] = {ALL: 0}
        #: Why models.toml could not be read when that was asked last.
        self._fault = ""
        self._loading: threading.Thread | None = None
        self._beginning = threading.Lock()
        #: As it was seen last.
        self._fleet: FleetView | None = None
        self._told_cold = False

    def start(self) -> None:
        """Take note, before the models are loaded, of what was asked before, and what is closed."""
        fleet = self._queue.run(view(self._settings))
        self._heeded |= fleet.load_requests
        self._models.take(self._read())
        self._remember()
        self._models.let_sleep(self._closed(fleet))

    def _read(self) -> Catalog:
        """What models.toml says now, and loads besides. Raises CatalogError."""
        return with_configs(self._declared(), self._queue.run(load_configs(self._settings)))

    def _remember(self) -> None:
        """Know what was leaving when a worker ended: jobs may wait for it yet."""
        for text in self._queue.run(leaving(self._settings)).values():
            with contextlib.suppress(ValueError):  # of another version
                self._models.remember(ModelDeclaration.model_validate_json(text))

    def _tell_leaving(self, before: frozenset[str]) -> None:
        """Have the fleet remember what is leaving now, and forget what has come back."""
        now, known = self._models.leaving, self._models.known
        # Without defaults, which a worker of the version before may not know by name.
        if new := {
            i: known[i].model_dump_json(exclude_defaults=True) for i in sorted(now - before)
        }:
            self._queue.run(set_leaving(new, self._settings))
        if back := before - now:
            self._queue.run(forget_leaving(back, self._settings))

    def info(self) -> dict[str, object]:
        """What the heartbeat carries of them."""
        return {
            "load_heeded": dict(self._heeded),
            "outdated": self._models.outdated,
            "asleep": sorted(self._models.asleep),
            "load_ms": self._models.load_ms,
            "model_bytes": {model.group_model_id: model.bytes for model in self._models},
            "models_fault": self._fault,
        }

    def look(self, fleet: FleetView) -> None:
        """Heed what was asked for since the last look."""
        self._fleet = fleet
        closed = self._closed(fleet)
        if not self._memory.is_bounded:
            self._models.wake(self._models.asleep - closed)
        self._put_away(closed)
        self._models.trim()
        self._tell_cold(fleet)
        self.tell_facts()
        asked = {
            name: count
            for name, count in fleet.load_requests.items()
            if count > self._heeded.get(name, 0)
        }
        if asked or self._models.loading:
            self._begin_load(asked)

    def tell_facts(self) -> None:
        """Write down what each model turned out to be, once it is loaded."""
        try:
            for model in self._models:
                if not model.is_told:
                    told = tell_facts(model.group_model_id, model.facts(), self._settings)
                    self._queue.run(told)
                    model.is_told = True
        except WherryError as error:  # Redis may be full: told at the next look
            log.debug("what models are is not told yet: %s", error.message)

    def want(self, model_id: str) -> None:
        """A job waits for a model: load it if it sleeps here, and no other worker has it warm."""
        if model_id not in self._models.asleep:
            return
        others = self._fleet.workers if self._fleet is not None else ()
        if any(w.alive and (w.has_warm(model_id) or w.loads(model_id)) for w in others):
            return
        self._models.want(model_id)
        self._begin_load({})

    def _begin_load(self, asked: Mapping[str, int]) -> None:
        with self._beginning:
            if self.is_loading:
                return
            self._loading = threading.Thread(
                target=self._load, args=(asked,), name="wherry-load", daemon=True
            )
            self._loading.start()

    def _tell_cold(self, fleet: FleetView) -> None:
        """Say how long the fleet's models that no worker has warm take to load."""
        cold: dict[str, int] = {}
        live = [worker for worker in fleet.workers if worker.alive]
        for worker in live:
            cold |= worker.load_ms
        cold = {i: ms for i, ms in cold.items() if not any(w.has_warm(i) for w in live)}
        if cold or self._told_cold:
            self._queue.run(set_cold(cold, self._settings))
        self._told_cold = bool(cold)

    @property
    def is_loading(self) -> bool:
        """Whether what was asked for is just being loaded."""
        return self._loading is not None and self._loading.is_alive()

    def _closed(self, fleet: FleetView) -> frozenset[str]:
        """Ids of the models that an operator has unloaded, or that no models.toml has any more."""
        unloaded = {i for i in self._models.known if i.rpartition("/")[0] in fleet.unloaded}
        return frozenset(unloaded | self._models.leaving)

    def _put_away(self, closed: frozenset[str]) -> None:
        """Close what no job waits for or runs on, nor can come to by an API that still names it."""
        idle = {model.group_model_id for model in self._models} & closed
        if not idle:
            return
        if leaving := idle & self._models.leaving:
            apis = self._queue.run(shown(self._settings)).apis.values()
            idle -= {i for i in leaving if any(i in declared for declared in apis)}
        working = self._queue.run(busy(idle, self._settings))
        self._models.put_away(idle - working)
        if gone := (idle - working) & self._models.leaving:
            self._queue.run(forget_leaving(gone, self._settings))

    def _load(self, asked: Mapping[str, int]) -> None:
        try:
            if asked:
                self._take(asked)
            self._models.load_all()
            self._heeded |= asked
            self._models.load_wanted()
            self.tell_facts()
            self._announce()
        except WherryError as error:  # Redis is away; the next look begins anew
            log.warning("what is to be loaded is looked at again: %s", error.message)

    def _take(self, asked: Mapping[str, int]) -> None:
        try:
            catalog = self._read()
        except CatalogError as error:
            self._fault = str(error)
        else:
            self._fault = ""
            before = self._models.leaving
            self._models.take(catalog, None if ALL in asked else set(asked))
            self._tell_leaving(before)
            return
        log.error("nothing is changed: %s", self._fault)
        for model_id in self._models.failed:
            if model_id.rpartition("/")[0] in asked:
                self._models.fail(model_id, self._fault)
