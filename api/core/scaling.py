"""How many workers each family wants now: what waits and runs in Redis, and what it will take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...jobs.demand import (
    NOTHING,
    Costs,
    Counted,
    DeviceWork,
    read_counted,
    read_pace,
)
from ...jobs.fleet import FleetView
from ...jobs.fleet_views import WorkerView
from ...jobs.group import Group
from ...jobs.reach import RedisAway
from ...jobs.scaling import FamilyDemand, Lane, Policy, ScalingPlan, plan, recall, remember
from ...protocol.errors import ModelNotFound
from ...tasks.catalog import ModelDeclaration
from ..settings import ApiSettings
from .demand import Demand, ModelDemand
from .service import Service

#: Rows of a batch of a model that no models.toml declares any more.
_BATCH = 32

#: Its models are another server's: they take none of a worker's device.
_ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScaling:
    """What a model's jobs will take."""

    model: str
    version: str
    waiting: int
    waiting_rows: float
    running: int
    running_rows: float
    work: DeviceWork
    #: Whether that comes from what its batches took: else from what is assumed of unknown models.
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyScaling:
    """What a family has to do, and how many workers are wanted for it."""

    family: str
    seen: FamilyDemand
    policy: Policy
    plan: ScalingPlan
    models: tuple[ModelScaling, ...]

    @property
    def device_s(self) -> float:
        """Predicted device seconds of what waits and runs."""
        return self.seen.interactive.work.device_s + self.seen.bulk.work.device_s


def policy_of(settings: ApiSettings) -> Policy:
    """What the settings ask for."""
    return Policy(
        target_wait_s=settings.scaling_target_wait_s,
        bulk_target_wait_s=settings.scaling_bulk_target_wait_s,
        start_s=settings.scaling_start_s,
        down_after_s=settings.scaling_down_after_s,
    )


async def scaling_of(
    service: Service, policies: Mapping[str, Policy] | None = None
) -> list[FamilyScaling]:
    """How the families stand, by their policies: all, by that of the settings, where None is given.

    A family whose own Redis is away is left out of all. Raises Unavailable; RedisAway where such a
    one was asked for, of which nobody knows what it has: to answer 0 would end its workers.
    """
    fleet, demand = await asyncio.gather(service.fleet(), service.demand.read())
    await service.live.learn()
    away = fleet.away | service.demand.away
    if policies is None:
        families = {*service.catalog.families(), *(group.family for group, _ in demand)}
        policies = dict.fromkeys(sorted(families - away), policy_of(service.settings))
    elif unknown := away.intersection(policies):
        raise RedisAway(unknown)
    return [
        await _family(service, family, policy, demand, fleet) for family, policy in policies.items()
    ]


async def _family(
    service: Service, family: str, policy: Policy, demand: Demand, fleet: FleetView
) -> FamilyScaling:
    """One family's plan; what is remembered for the next look is written back."""
    mine = {key: each for key, each in demand.items() if key[0].family == family}
    costs = await _costs(service, family, {group for group, _ in mine})
    live = [worker for worker in fleet.workers if _is_for(worker, family)]
    lanes, models, used = _lanes(service, mine, costs, _cold(live))
    seen = FamilyDemand(
        at_s=time.time(),
        interactive=lanes[False],
        bulk=lanes[True],
        used=used,
        workers=len(live),
        busy=sum(worker.running > 0 for worker in live),
        load_s=_load_s(service, family, live),
    )
    before = await service.queue.run(recall(family, policy, service.jobs))
    wanted, memory = plan(seen, policy, before)
    await service.queue.run(remember(family, policy, memory, service.jobs))
    return FamilyScaling(family=family, seen=seen, policy=policy, plan=wanted, models=models)


async def _costs(service: Service, family: str, models: Iterable[Group]) -> dict[Group, Costs]:
    groups = list(models)
    pace = await service.queue.run(read_pace(family, service.jobs))
    counted: list[Counted] = await asyncio.gather(
        *(service.queue.run(read_counted(group, service.jobs)) for group in groups)
    )
    return {
        group: Costs(
            row_s={} if _is_remote(service, group) else pace.get(group.model_id, {}),
            beside=told.beside,
            has_run=told.has_run or _is_remote(service, group),
        )
        for group, told in zip(groups, counted, strict=True)
    }


@dataclass(slots=True)
class _Sum:
    """A lane's models added up."""

    waiting: int = 0
    running: float = 0.0
    waits: DeviceWork = field(default=NOTHING)
    runs: DeviceWork = field(default=NOTHING)
    oldest_s: float = 0.0

    def lane(self) -> Lane:
        return Lane(
            waiting=self.waiting,
            running=round(self.running),
            waits=self.waits,
            runs=self.runs,
            oldest_s=self.oldest_s,
        )


def _lanes(
    service: Service, demand: Demand, costs: Mapping[Group, Costs], cold: Mapping[str, float]
) -> tuple[dict[bool, Lane], tuple[ModelScaling, ...], float]:
    """The lanes, of which True is the bulk one; the models; what the interactive one takes."""
    sums = {False: _Sum(), True: _Sum()}
    models: dict[Group, ModelScaling] = {}
    used = 0.0
    for (group, bulk), each in demand.items():
        cost, unknown = costs[group], service.settings.scaling_unknown_row_s
        declared = _declared(service, group)
        most = _BATCH if declared is None else declared.max_batch_size
        waits = cost.work(each.waiting, each.waiting_rows, most, unknown)
        if each.waiting and group.model_id in cold:
            waits += DeviceWork(0.0, cold[group.model_id])
        runs = cost.work(round(each.running), each.running_rows, most, unknown)
        lane = sums[bulk]
        lane.waiting, lane.running = lane.waiting + each.waiting, lane.running + each.running
        lane.waits, lane.runs = lane.waits + waits, lane.runs + runs
        lane.oldest_s = max(lane.oldest_s, each.oldest_s)
        used += 0.0 if bulk else each.device_s_per_s * cost.worker_share
        models[group] = _added(models.get(group), group, each, waits + runs, known=cost.known)
    found = sorted(models.values(), key=lambda model: (model.model, model.version))
    busy = tuple(model for model in found if model.waiting or model.running)
    return {bulk: lane.lane() for bulk, lane in sums.items()}, busy, used


def _added(
    before: ModelScaling | None, group: Group, each: ModelDemand, work: DeviceWork, *, known: bool
) -> ModelScaling:
    """A model's two lanes as one."""
    return ModelScaling(
        model=group.model,
        version=group.version,
        waiting=each.waiting + (before.waiting if before else 0),
        waiting_rows=each.waiting_rows + (before.waiting_rows if before else 0.0),
        running=round(each.running) + (before.running if before else 0),
        running_rows=each.running_rows + (before.running_rows if before else 0.0),
        work=work + (before.work if before else NOTHING),
        known=known,
    )


def _is_for(worker: WorkerView, family: str) -> bool:
    """Whether a worker lives, serves a family, and is to stay."""
    families = worker.info.get("families")
    stays = worker.alive and worker.info.get("state") != "draining"
    return stays and isinstance(families, list) and family in families


def _cold(live: Iterable[WorkerView]) -> dict[str, float]:
    """Seconds to load each model that sleeps in all of these workers."""
    workers = list(live)
    return {
        model_id: ms / 1000
        for worker in workers
        for model_id, ms in worker.load_ms.items()
        if not any(other.has_warm(model_id) for other in workers)
    }


def _load_s(service: Service, family: str, live: Iterable[WorkerView]) -> float:
    """Seconds in which a new worker loads its models, by how long their last loads took."""
    asleep = {model_id for worker in live for model_id in worker.load_ms}
    return sum(_load_times(service, family, asleep))


def _load_times(service: Service, family: str, asleep: set[str]) -> Iterator[float]:
    for declared in service.catalog.models:
        model_id = Group(declared.family, declared.name, declared.version).model_id
        told = service.live.facts(declared).get("load_s")
        if declared.family == family and model_id not in asleep and isinstance(told, (int, float)):
            yield float(told)


def _declared(service: Service, group: Group) -> ModelDeclaration | None:
    try:
        return service.catalog.get(group.model, group.version)
    except ModelNotFound:  # it is leaving
        return None


def _is_remote(service: Service, group: Group) -> bool:
    declared = _declared(service, group)
    return declared is not None and declared.backend == _ENDPOINT
