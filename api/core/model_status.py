"""How a model stands, in one word, and on which devices: what the repository's entries say too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...jobs.fleet import FleetView
from ...jobs.fleet_views import WorkerView
from ...jobs.group import Group
from ...tasks.catalog import ModelDeclaration

#: ready; cold: loaded when a job comes; loading; failed: it cannot be loaded; unloaded: closed by
#: an operator; unserved: no worker of its family lives.
Status = Literal["ready", "cold", "loading", "failed", "unloaded", "unserved"]


def status_of(declared: ModelDeclaration, fleet: FleetView) -> Status:
    """How a model stands: as the best of its workers has it."""
    model_id = _id_of(declared)
    if declared.name in fleet.unloaded:
        return "unloaded"
    if model_id in fleet.failed:
        return "failed"
    serving = list(_serving(model_id, fleet))
    if any(worker.has_warm(model_id) for worker in serving):
        return "ready"
    if serving:
        return "cold"
    return (
        "loading"
        if any(_is_for(worker, declared.family) for worker in fleet.workers)
        else "unserved"
    )


def devices_of(declared: ModelDeclaration, fleet: FleetView) -> list[str]:
    """The devices that serve a model, each once."""
    told = (worker.info.get("device") for worker in _serving(_id_of(declared), fleet))
    return sorted({device for device in told if isinstance(device, str)})


def _serving(model_id: str, fleet: FleetView) -> Iterator[WorkerView]:
    return (worker for worker in fleet.workers if worker.alive and worker.serves(model_id))


def _is_for(worker: WorkerView, family: str) -> bool:
    families = worker.info.get("families")
    return worker.alive and isinstance(families, list) and family in families


def is_manned(family: str, fleet: FleetView) -> bool:
    """Whether a worker of a family is past its start and stays."""
    return any(
        _is_for(worker, family) and worker.info.get("state") not in ("loading", "draining")
        for worker in fleet.workers
    )


def _id_of(declared: ModelDeclaration) -> str:
    return Group(declared.family, declared.name, declared.version).model_id
