"""Models opened and closed: what every surface's load and unload do."""

from __future__ import annotations

import asyncio
import time

from ...jobs.failed import ask_load, not_loaded
from ...jobs.fleet import FleetView, set_loaded
from ...jobs.group import Group
from ...jobs.record import WorkerView
from ...protocol.errors import Conflict, ModelFailed, ModelNotReady
from ...tasks.catalog import Catalog, CatalogError, ModelDeclaration, load_catalog
from .service import Service

#: Seconds that a load which was asked for may take before the answer is "not yet".
_LOAD_TIMEOUT_S = 60.0

#: Seconds between two looks whether it has ended.
_LOOK_EVERY_S = 0.1


def failure_of(declared: ModelDeclaration, fleet: FleetView) -> ModelFailed | None:
    """The error of a model that no worker can load; None for any other."""
    reason = fleet.failed.get(_id_of(declared))
    return None if reason is None else ModelFailed(not_loaded(declared.name, reason))


async def load(service: Service, name: str) -> None:
    """Open a model to requests; where a worker could not load it, let it try again, and wait.

    What failed is loaded as models.toml declares it now. Raises ModelNotFound, ModelFailed when it
    fails again, ModelNotReady when it takes long, and Conflict for a change in models.toml that
    only a restart takes up.
    """
    declared, now = _versions(service.catalog, name), await asyncio.to_thread(_read, service, name)
    if not declared and now:
        raise Conflict(f"model {name!r} is new in models.toml: restart the fleet to serve it")
    service.catalog.get(name)
    workers = (await service.fleet()).workers
    failed = any(_failed_at(worker, declared) for worker in workers)
    if not failed and declared != now:
        raise Conflict(
            f"models.toml says something else of model {name!r} than when this server started:"
            " restart the fleet to serve that"
        )
    await service.queue.run(set_loaded(name, service.jobs, loaded=True))
    if not failed:
        return
    asked = await service.queue.run(ask_load(name, service.jobs))
    give_up_at = time.monotonic() + _LOAD_TIMEOUT_S
    while _is_under_way(fleet := await service.fleet(), declared, asked):
        if time.monotonic() > give_up_at:
            raise ModelNotReady(f"model {name!r} is still loading; retry later")
        await asyncio.sleep(_LOOK_EVERY_S)
    for version in declared:
        if reason := _reason(fleet, version):
            raise ModelFailed(not_loaded(name, reason))


async def unload(service: Service, name: str) -> None:
    """Close a model to new requests; jobs that wait are still done. Raises ModelNotFound."""
    service.catalog.get(name)
    await service.queue.run(set_loaded(name, service.jobs, loaded=False))


def _read(service: Service, name: str) -> list[ModelDeclaration]:
    """A model's versions as they are declared now. Raises Conflict."""
    try:
        return _versions(load_catalog(service.settings.models, families=()), name)
    except CatalogError as error:
        raise Conflict(f"models.toml cannot be read any more: {error}") from None


def _versions(catalog: Catalog, name: str) -> list[ModelDeclaration]:
    return [model for model in catalog.models if model.name == name]


def _is_under_way(fleet: FleetView, declared: list[ModelDeclaration], asked: int) -> bool:
    """Whether a worker has still to try the model for this request, or the fleet to hear of it."""
    if any(failure_of(model, fleet) and not _reason(fleet, model) for model in declared):
        return True
    for worker in fleet.workers:
        if any(worker.loads(_id_of(model)) for model in declared):
            return True
        heeded = worker.info.get("load_heeded")
        counts = heeded if isinstance(heeded, dict) else {}
        if _failed_at(worker, declared) and counts.get(declared[0].name, 0) < asked:
            return True
    return False


def _reason(fleet: FleetView, declared: ModelDeclaration) -> str:
    """Why a model failed, as workers tell it now; "" when one serves it or none failed it."""
    reason, model_id = "", _id_of(declared)
    for worker in fleet.workers:
        if worker.serves(model_id):
            return ""
        reason = worker.failed.get(model_id, reason)
    return reason


def _failed_at(worker: WorkerView, declared: list[ModelDeclaration]) -> bool:
    return any(_id_of(model) in worker.failed for model in declared)


def _id_of(declared: ModelDeclaration) -> str:
    """The model as workers name it."""
    return Group(declared.family, declared.name, declared.version).model_id
