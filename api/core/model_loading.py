"""Models opened and closed, and models.toml read again: what every surface's load and unload do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ...jobs.declared import set_load_config
from ...jobs.failed import ALL, ask_load, not_loaded
from ...jobs.fleet import FleetView, set_loaded
from ...jobs.fleet_views import WorkerView
from ...jobs.group import Group
from ...protocol.errors import Forbidden, InvalidRequest, ModelFailed, ModelNotReady
from ...tasks.catalog import ModelDeclaration
from ...tasks.load_config import LoadConfig
from .service import Service

#: Seconds that a load which was asked for may take before the answer is "not yet".
_LOAD_TIMEOUT_S = 60.0

#: Seconds between two looks whether it has ended.
_LOOK_EVERY_S = 0.1


def failure_of(declared: ModelDeclaration, fleet: FleetView) -> ModelFailed | None:
    """The error of a model that no worker can load; None for any other."""
    reason = fleet.failed.get(_id_of(declared))
    return None if reason is None else ModelFailed(not_loaded(declared.name, reason))


async def load(service: Service, name: str, parameters: Mapping[str, Any] | None = None) -> None:
    """Open a model to requests as models.toml declares it now, and wait until it is loaded so.

    `parameters` may hold Triton's `config`: JSON with what is to be otherwise until the next load.
    Raises InvalidRequest for a wrong one, Forbidden where the operator allows none, Conflict for a
    models.toml that cannot be used, ModelNotFound, ModelFailed when the model cannot be loaded,
    ModelNotReady when that takes long.
    """
    config = _config(service, parameters or {})
    await service.live.take({name}, {name: config})
    service.catalog.get(name)
    await service.queue.run(set_load_config(name, config, service.jobs))
    await service.queue.run(set_loaded(name, service.jobs, loaded=True))
    asked = await service.queue.run(ask_load(name, service.jobs))
    declared = service.live.versions(name)
    fleet = await _heeded(service, name, asked, declared)
    if fleet is None:
        raise ModelNotReady(f"model {name!r} is still loading; retry later")
    for version in declared:
        if reason := _reason(fleet, version):
            raise ModelFailed(not_loaded(name, reason))
    await service.live.learn()  # its graph may declare other tensors now


def _config(service: Service, parameters: Mapping[str, Any]) -> str:
    """What a load says of its model, as JSON; "" for nothing."""
    if unknown := sorted(parameters.keys() - {"config"}):
        raise InvalidRequest(f"parameter {unknown[0]!r}: a load takes config alone, no files")
    config = parameters.get("config", "")
    if not config:
        return ""
    if not service.settings.load_parameters:
        raise Forbidden("a load with parameters: WHERRY_LOAD_PARAMETERS is not set")
    try:
        LoadConfig.read(config if isinstance(config, str) else "")
    except ValueError as error:
        allowed = ", ".join(LoadConfig.model_fields)
        raise InvalidRequest(f"config: {error}; it is JSON with some of {allowed}") from None
    return str(config)


async def unload(service: Service, name: str) -> None:
    """Close a model to new requests; jobs that wait are still done, then its memory is freed.

    Raises ModelNotFound.
    """
    service.catalog.get(name)
    await service.queue.run(set_loaded(name, service.jobs, loaded=False))


async def reload(service: Service) -> dict[str, Any]:
    """Have the whole fleet serve what models.toml says now; answers what that changed.

    Raises Conflict with each fault of the file; then nothing is changed.
    """
    before = {_id_of(model): model for model in service.live.declared}
    await service.live.take()
    now = {_id_of(model): model for model in service.live.declared}
    asked = await service.queue.run(ask_load(ALL, service.jobs))
    fleet = await _heeded(service, ALL, asked, list(now.values()))
    workers = [] if fleet is None else [worker for worker in fleet.workers if worker.alive]
    failed = {}
    if fleet is not None:
        failed = {i: reason for i, model in now.items() if (reason := _reason(fleet, model))}
    return {
        "added": [model_id for model_id in now if model_id not in before],
        "changed": [i for i, model in now.items() if i in before and before[i] != model],
        "removed": [model_id for model_id in before if model_id not in now],
        "failed": failed,
        "workers_at_fault": {
            worker.id: fault for worker in workers if (fault := worker.info.get("models_fault"))
        },
        "unserved": _unserved(workers, now) if fleet is not None else {},
        "done": fleet is not None,
    }


def _unserved(
    workers: Sequence[WorkerView], declared: Mapping[str, ModelDeclaration]
) -> dict[str, list[str]]:
    """By family, the models of those that have no worker: they wait for one to be started."""
    served: set[object] = set()
    for worker in workers:
        families = worker.info.get("families")
        served.update(families if isinstance(families, list) else ())
    found: dict[str, list[str]] = {}
    for model_id, model in declared.items():
        if model.family not in served:
            found.setdefault(model.family, []).append(model_id)
    return found


async def _heeded(
    service: Service, name: str, asked: int, declared: Sequence[ModelDeclaration]
) -> FleetView | None:
    """The fleet once all its workers have heeded a request to load; None when that takes long."""
    give_up_at = time.monotonic() + _LOAD_TIMEOUT_S
    while _is_under_way(fleet := await service.fleet(), name, asked, declared):
        if time.monotonic() > give_up_at:
            return None
        await asyncio.sleep(_LOOK_EVERY_S)
    return fleet


def _is_under_way(
    fleet: FleetView, name: str, asked: int, declared: Sequence[ModelDeclaration]
) -> bool:
    """Whether a worker has still to try the models for this request, or the fleet to hear of it."""
    if any(failure_of(model, fleet) and not _reason(fleet, model) for model in declared):
        return True
    for worker in fleet.workers:
        if not worker.alive or worker.info.get("state") == "draining":
            continue
        if any(worker.loads(_id_of(model)) for model in declared):
            return True
        if _heeds(worker, declared) and (worker.heeded(name) or 0) < asked:
            return True
    return False


def _heeds(worker: WorkerView, declared: Sequence[ModelDeclaration]) -> bool:
    """Whether it will act on a request to load: an older version does on what failed there."""
    if worker.heeded(ALL) is not None:
        return True
    return any(_id_of(model) in worker.failed for model in declared)


def _reason(fleet: FleetView, declared: ModelDeclaration) -> str:
    """Why a model cannot be loaded as it is declared, as workers tell it now; "" for no reason."""
    reason, model_id = "", _id_of(declared)
    for worker in fleet.workers:
        if model_id in worker.outdated:
            return worker.outdated[model_id]
        if worker.serves(model_id):
            return ""
        reason = worker.failed.get(model_id, reason)
    return reason


def _id_of(declared: ModelDeclaration) -> str:
    """The model as workers name it."""
    return Group(declared.family, declared.name, declared.version).model_id
