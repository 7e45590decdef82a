"""What metrics tell of the fleet, read from Redis for one scrape or for several that meet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from ...jobs.fleet import FleetView
from ...jobs.metrics import MODELS_A_CALL, FleetCounts, ModelCounts, fleet_counts, model_counts
from ...jobs.processes import is_silent
from ...jobs.record import GroupView
from ...jobs.run_steps import run_workers
from ...protocol.errors import WherryError
from .models import why_unavailable
from .scaling import FamilyScaling, scaling_of
from .service import Service

#: Seconds that a look is good for. One that takes long is good for longer, so that all looks
#: together take a twentieth of the time at most; one that failed, for as long as it took.
_GOOD_S, _SHARE = 1.0, 20.0

#: Seconds that a look may take: Prometheus gives a scrape ten.
_PATIENCE_S = 3.0

#: Models that are told of.
_MOST_MODELS = 1000

#: A model by its name and version.
ModelName = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReading:
    """The fleet as metrics tell of it."""

    fleet: FleetView
    counts: FleetCounts
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


class FleetMetrics:
    """Reads the fleet at a scrape. Scrapes that meet, or come shortly after, share a look."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._clock = service, clock
        self._good_until = 0.0
        self._looking: asyncio.Task[FleetReading | None] | None = None

    async def read(self) -> FleetReading | None:
        """The fleet as of now or a moment ago; None while Redis does not answer."""
        looking = self._looking
        if looking is None or (looking.done() and self._clock() >= self._good_until):
            looking = self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(looking)  # one scraper may leave, the others wait on

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> FleetReading | None:
        began, share = self._clock(), 1.0
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reading = await self._reading()
            share = _SHARE
        except (WherryError, TimeoutError):
            return None  # which is not to be told for long once Redis is back
        else:
            return reading
        finally:
            took = self._clock() - began
            self._good_until = self._clock() + max(_GOOD_S, took * share)

    async def _reading(self) -> FleetReading:
        service, run = self._service, self._service.queue.run
        fleet, counts, groups, runs, scaling = await asyncio.gather(
            service.fleet(),
            run(fleet_counts(service.jobs)),
            service.groups(),
            run(run_workers(service.jobs)),
            scaling_of(service),
        )
        names = self._names(fleet, groups)
        shown = names[:_MOST_MODELS]
        pages = [shown[at : at + MODELS_A_CALL] for at in range(0, len(shown), MODELS_A_CALL)]
        models: dict[ModelName, ModelCounts] = {}
        for page in pages:
            found = await run(model_counts(page, service.jobs))
            models.update(found)
        return FleetReading(
            fleet=fleet,
            counts=counts,
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
