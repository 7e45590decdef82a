"""What metrics tell of the fleet, read from Redis for one scrape or for several that meet."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from ...jobs.async_queue import AsyncQueue
from ...jobs.fleet import FleetView
from ...jobs.fleet_queue import on_each
from ...jobs.fleet_views import GroupView
from ...jobs.metrics import (
    MODELS_A_CALL,
    FleetCounts,
    ModelCounts,
    ServerCounts,
    fleet_counts,
    model_counts,
)
from ...jobs.processes import is_silent
from ...jobs.reach import RedisAway
from ...jobs.run_workers import run_workers
from ...protocol.errors import WherryError
from .models import why_unavailable
from .scaling import FamilyScaling, scaling_of
from .service import Service

#: Seconds that a look is good for. One that takes long is good for longer, so that all looks
#: together take a twentieth of the time at most; one that failed, for as long as it took.
_GOOD_S, _SHARE = 1.0, 20.0

#: Seconds that a look may take: Prometheus gives a scrape ten.
_PATIENCE_S = 3.0

#: Of these, what a family's Redis has to say what it holds: none is to make others seem silent.
_ANSWER_S = 1.0

#: Models that are told of.
_MOST_MODELS = 1000

#: A model by its name and version.
ModelName = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReading:
    """The fleet as metrics tell of it."""

    fleet: FleetView
    counts: FleetCounts
    #: The Redis servers that answer, by their names.
    servers: Mapping[str, ServerCounts]
    models: Mapping[ModelName, ModelCounts]
    #: Declared here, and whether each is ready.
    ready: Mapping[ModelName, bool]
    models_left_out: int
    groups: Sequence[GroupView]
    #: Those that live, by what they said last.
    run_workers: Mapping[str, Mapping[str, object]]
    max_waiting: int
    #: How many workers each family wants.
    scaling: Sequence[FamilyScaling]


@dataclass(frozen=True, slots=True)
class FleetLook:
    """A look at the fleet."""

    #: Whether each Redis answered, by its name: "home" and those of families.
    up: Mapping[str, bool]
    #: None while home does not answer, or another that never did.
    reading: FleetReading | None


class FleetMetrics:
    """Reads the fleet at a scrape. Scrapes that meet, or come shortly after, share a look."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._clock = service, clock
        self._good_until = 0.0
        #: What each Redis said last: counters stand still while it is away, and do not jump.
        self._last: dict[str, FleetCounts] = {}
        self._last_models: defaultdict[str, dict[ModelName, ModelCounts]] = defaultdict(dict)
        self._looking: asyncio.Task[FleetLook] | None = None

    async def read(self) -> FleetLook:
        """The fleet as of now or a moment ago."""
        looking = self._looking
        if looking is None or (looking.done() and self._clock() >= self._good_until):
            looking = self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(looking)  # one scraper may leave, the others wait on

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> FleetLook:
        began, share = self._clock(), 1.0
        up: dict[str, bool] = {}
        try:
            async with asyncio.timeout(_PATIENCE_S):
                counts = await self._counts()
                up = {name: not isinstance(each, Exception) for name, each in counts.items()}
                look = FleetLook(up, await self._reading(counts))
            share = _SHARE
        except (WherryError, TimeoutError):
            # Which is not to be told for long once Redis is back.
            return FleetLook(up or dict.fromkeys(self._names_of_parts(), False), None)
        else:
            return look
        finally:
            took = self._clock() - began
            self._good_until = self._clock() + max(_GOOD_S, took * share)

    async def _reading(self, counts: Mapping[str, FleetCounts | Exception]) -> FleetReading:
        service, run = self._service, self._service.queue.run
        servers = self._remembered(counts)
        fleet, groups, runs, scaling = await asyncio.gather(
            service.fleet(),
            service.groups(),
            run(run_workers(service.jobs)),
            scaling_of(service),
        )
        names = self._names(fleet, groups)
        shown = names[:_MOST_MODELS]
        pages = [shown[at : at + MODELS_A_CALL] for at in range(0, len(shown), MODELS_A_CALL)]
        models: dict[ModelName, ModelCounts] = {}
        for page in pages:
            models |= await self._models(page, servers)
        return FleetReading(
            fleet=fleet,
            counts=FleetCounts.of_all(list(self._last.values())),
            servers=servers,
            models=models,
            ready={
                (each.name, each.version): not why_unavailable(service, each, fleet)
                for each in service.catalog.models
            },
            models_left_out=len(names) - len(shown),
            groups=groups,
            run_workers={
                worker: info
                for worker, info in runs.items()
                if not is_silent(info, fleet.now_ms, service.jobs)
            },
            max_waiting=service.jobs.max_waiting,
            scaling=scaling,
        )

    def _names_of_parts(self) -> list[str]:
        return [part.name for part in self._service.queue.parts]

    async def _counts(self) -> Mapping[str, FleetCounts | Exception]:
        """What each Redis has, by its name."""
        call = fleet_counts(self._service.jobs)
        answers = await on_each(
            self._service.queue, lambda one: one.run(call), patience_s=_ANSWER_S
        )
        return dict(zip(self._names_of_parts(), answers, strict=True))

    def _remembered(
        self, counts: Mapping[str, FleetCounts | Exception]
    ) -> Mapping[str, ServerCounts]:
        """The servers that answer; what they have is remembered. Raises RedisAway for one that
        never did: without its counters those of the fleet would jump once it does.
        """
        servers = {}
        for name, answer in counts.items():
            if not isinstance(answer, Exception):
                self._last[name], servers[name] = answer, answer.server
            elif not isinstance(answer, RedisAway) or name not in self._last:
                raise answer
        return servers

    async def _models(
        self, page: Sequence[ModelName], servers: Collection[str]
    ) -> Mapping[ModelName, ModelCounts]:
        """What some models have done, on all Redis servers together; of those that are silent, what
        they said last.
        """
        queue, call = self._service.queue, model_counts(page, self._service.jobs)

        async def of_server(one: AsyncQueue) -> Mapping[ModelName, ModelCounts]:
            if one.name not in servers:
                raise RedisAway([one.name])
            return await one.run(call)

        answers = await on_each(queue, of_server, patience_s=_ANSWER_S)
        total: dict[ModelName, ModelCounts] = {}
        for name, answer in zip(self._names_of_parts(), answers, strict=True):
            last = self._last_models[name]
            if not isinstance(answer, Exception):
                last.update(answer)
            elif not isinstance(answer, RedisAway):
                raise answer
            for model in page:
                if model in last:
                    total[model] = total[model] + last[model] if model in total else last[model]
        return total

    def _names(self, fleet: FleetView, groups: Sequence[GroupView]) -> list[ModelName]:
        """The models that are declared here; then those that only workers know, or jobs."""
        names = [(each.name, each.version) for each in self._service.catalog.models]
        for worker in fleet.workers:
            names += [named(model_id) for model_id in worker.served if worker.alive]
        names += [(seen.group.model, seen.group.version) for seen in groups]
        return list(dict.fromkeys(names))


def named(model_id: str) -> ModelName:
    """A model's name and version of its `Group.model_id`."""
    name, _, version = model_id.rpartition("/")
    return unquote(name), unquote(version)
