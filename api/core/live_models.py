"""models.toml while the API runs: read again when asked for, and new versions that take over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ...jobs import AsyncQueue, JobsSettings
from ...jobs.declared import load_configs
from ...jobs.facts import count_facts, read_facts
from ...jobs.failed import ALL, ask_load, load_requests
from ...jobs.fleet import FleetView, view
from ...jobs.group import Group
from ...jobs.heeding import unheeded
from ...jobs.outage import Outage
from ...protocol.errors import Conflict, WherryError
from ...tasks.base import Task
from ...tasks.catalog import Catalog, CatalogError, ModelDeclaration
from ...tasks.files import files_at
from ...tasks.load_config import with_configs
from ...tasks.models_file import load_catalog

log = logging.getLogger(__name__)

#: Seconds between two looks whether something was asked for; and whether a new version is warm,
#: while one is awaited.
_LOOK_EVERY_S, _AWAITING_S = 2.0, 0.5


class LiveModels:
    """Keeps the catalog of this process as models.toml says, once the fleet is asked to.

    A name without a version means the last one declared: one that is new is meant once a worker
    has it warm. Until then the version before is, and is in the catalog though it be declared no
    more.
    """

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        queue: AsyncQueue,
        settings: JobsSettings,
        *,
        tell: Callable[[], Awaitable[None]],
        poll_s: float = 0.0,
    ) -> None:
        self._poll_s, self._polled_at = poll_s, time.monotonic()
        #: What lay at the path when it was read, and at the last look.
        self._read_files = self._seen_files = files_at(path) if poll_s else frozenset()
        self._path, self._catalog, self._queue, self._settings = path, catalog, queue, settings
        #: Lets the workers know what this process declares.
        self._tell = tell
        #: What models.toml says.
        self.declared = catalog.models
        self._heeded: dict[str, int] = {}
        #: What models turned out to be, by `Group.model_id`, and how often that changed.
        self._facts: dict[str, dict[str, Any]] = {}
        self._written = 0
        #: Models, by `Group.model_id`, whose workers all mix jobs of different parameters.
        self._mixing: frozenset[str] = frozenset()
        #: Models, likewise, and the parameters that not all of their workers know.
        self._unheeded: dict[str, frozenset[str]] = {}
        self._taking = asyncio.Lock()
        self._outage = Outage(log, "whether models.toml is to be read again is not known")
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take note of what was asked before, then go on looking."""
        with self._outage.noted():
            self._heeded = await self._queue.run(load_requests(self._settings))
            if await self._queue.run(load_configs(self._settings)):
                await self.take()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def facts(self, declared: ModelDeclaration) -> dict[str, Any]:
        """What a model turned out to be when it was loaded last; nothing of one that never was."""
        model_id = _model_id(declared)
        source = declared.source or declared.definition.default_model
        return {**({"source": source} if source else {}), **self._facts.get(model_id, {})}

    def task(self, declared: ModelDeclaration) -> Task:
        """A model's task, with its own tensors where these are the model's and known."""
        task = declared.definition
        return task if task.of_model is None else task.of_model(self.facts(declared))

    def mixes(self, declared: ModelDeclaration) -> bool:
        """Whether all workers that serve a model mix jobs that have each their own parameters.

        It is of no harm should one that does not come by: it serves none of their groups.
        """
        return _model_id(declared) in self._mixing

    def unheeded(self, declared: ModelDeclaration) -> frozenset[str]:
        """Parameters that a worker which serves a model would leave out: its version knows none."""
        return self._unheeded.get(_model_id(declared), frozenset())

    def versions(self, name: str) -> list[ModelDeclaration]:
        """What models.toml says of a model: none, where it is only served until another is warm."""
        return [model for model in self.declared if model.name == name]

    async def take(
        self, names: Collection[str] | None = None, configs: Mapping[str, str] | None = None
    ) -> None:
        """Serve what models.toml says now of the models of these names, or of all.

        `configs` are what loads say besides, by name, in the place of what those before did.
        Raises Conflict with each fault, and changes nothing then.
        """
        async with self._taking:
            try:
                known = await self._queue.run(load_configs(self._settings))
                read = await asyncio.to_thread(load_catalog, self._path, families=())
                found = with_configs(read, {**known, **(configs or {})})
            except CatalogError as error:
                raise Conflict(f"nothing is changed: {error}") from None
            declared = [m for m in found.models if names is None or m.name in names]
            if faults := list(_other_tasks(self.declared, declared)):
                raise Conflict("nothing is changed: " + "; ".join(faults))
            if names is not None:
                declared += [m for m in self.declared if m.name not in names]
                places = {m.name: n for n, m in enumerate(found.models)}
                declared.sort(key=lambda m: places.get(m.name, len(places)))
            self.declared = tuple(declared)
            await self._settle()

    def ask(self) -> None:
        """Ask the fleet, this process with it, to read models.toml again."""
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        with self._outage.noted():
            await self._queue.run(ask_load(ALL, self._settings))

    async def look(self) -> None:
        """One look. Raises Unavailable."""
        counts, _ = await asyncio.gather(
            self._queue.run(load_requests(self._settings)), self.learn()
        )
        if any(model.definition.own for model in self.declared):
            fleet = await self._queue.run(view(self._settings))
            self._mixing = mixing(self.declared, fleet, self._mixing)
            self._unheeded = {
                _model_id(model): unheeded(
                    _model_id(model),
                    model.task,
                    model.definition.input.parameter_names(),
                    fleet.workers,
                )
                for model in (*self._catalog.models, *self.declared)
                if model.definition.own
            }
        asked = [name for name, count in counts.items() if count > self._heeded.get(name, 0)]
        if asked:
            self._heeded = counts
            try:
                await self.take(None if ALL in asked else asked)
            except Conflict as error:
                log.error("%s", error.message)  # noqa: TRY400 # it says all
        elif self._catalog.models != self.declared:
            async with self._taking:
                await self._settle()

    async def learn(self) -> None:
        """Know what models turned out to be by now. Raises Unavailable."""
        written = await self._queue.run(count_facts(self._settings))
        if written != self._written:
            found = await self._queue.run(read_facts(self._settings))
            # Of a family whose Redis is away, what was known stays known.
            before = self._facts if self._queue.away_families else {}
            self._facts = {**before, **found}
            self._written = written

    async def _poll(self) -> None:
        """Have the fleet read models.toml again where it has changed, and is written no more."""
        if not self._poll_s or time.monotonic() - self._polled_at < self._poll_s:
            return
        self._polled_at = time.monotonic()
        found = await asyncio.to_thread(files_at, self._path)
        if found == self._seen_files and found != self._read_files:
            self._read_files = found
            await self._queue.run(ask_load(ALL, self._settings))
        self._seen_files = found

    async def _settle(self) -> None:
        """Have the catalog say what is declared, and of each name the version that is warm."""
        fleet = await self._queue.run(view(self._settings))
        models = in_service(Catalog(self.declared), self._catalog, fleet)
        if models != list(self._catalog.models):
            self._catalog.hold(models)
            with contextlib.suppress(WherryError):  # the next beat tells as well
                await self._tell()

    async def _run(self) -> None:
        while True:
            with self._outage.survived():
                await self._poll()
                await self.look()
            awaiting = self._catalog.models != self.declared
            pause_s = _AWAITING_S if awaiting else _LOOK_EVERY_S
            await asyncio.sleep(min(pause_s, self._poll_s or pause_s))


def in_service(declared: Catalog, before: Catalog, fleet: FleetView) -> list[ModelDeclaration]:
    """What is declared; of a model whose new version no worker has warm yet, with the one before.

    That one comes last, for the last is meant where none is named.
    """
    models: list[ModelDeclaration] = []
    for name in declared.names():
        versions = [declared.get(name, version) for version in declared.versions(name)]
        if name in before.names():
            old, new = before.get(name), versions[-1]
            if old.version != new.version and is_warm(old, fleet) and not is_warm(new, fleet):
                kept = next((m for m in versions if m.version == old.version), old)
                versions = [m for m in versions if m.version != old.version] + [kept]
        models += versions
    return models


def is_warm(declared: ModelDeclaration, fleet: FleetView) -> bool:
    """Whether a worker that lives has the model loaded."""
    model_id = _model_id(declared)
    return any(worker.alive and worker.has_warm(model_id) for worker in fleet.workers)


def mixing(
    declared: Collection[ModelDeclaration], fleet: FleetView, before: frozenset[str]
) -> frozenset[str]:
    """The models, by `Group.model_id`, that only workers serve which mix jobs of different
    parameters; one that no worker serves is as it was.
    """
    found = set()
    for model_id in map(_model_id, declared):
        serving = [each for each in fleet.workers if each.alive and each.serves(model_id)]
        if all(each.mixes for each in serving) if serving else model_id in before:
            found.add(model_id)
    return frozenset(found)


def _model_id(declared: ModelDeclaration) -> str:
    return Group(declared.family, declared.name, declared.version).model_id


def _other_tasks(
    before: Collection[ModelDeclaration], now: Collection[ModelDeclaration]
) -> list[str]:
    """What each model that has another task than before is told: jobs of both could wait."""
    tasks = {(m.name, m.version): m.task for m in before}
    return [
        f"model {m.name!r} version {m.version!r} did {was} and would do {m.task}: give that another"
        " version, or restart the fleet"
        for m in now
        if (was := tasks.get((m.name, m.version), m.task)) != m.task
    ]
