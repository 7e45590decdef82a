"""The server itself: what it speaks, and whether it is ready."""

from __future__ import annotations

import asyncio

from ...jobs.fleet import FleetView
from ...protocol import many
from ...protocol.errors import Unavailable
from ..http.draining import draining
from ..settings import families_of
from .model_loading import failure_of
from .service import Service

EXTENSIONS = [
    "binary_tensor_data",
    "model_repository",
    "model_configuration",
    "schedule_policy",
    "parameters",
    "statistics",
    "async_jobs",
    many.EXTENSION,
]

#: Seconds that Redis may take to show the fleet before we do not call ourselves ready.
_READY_TIMEOUT_S = 2.0


async def why_not_ready(service: Service) -> list[str]:
    """What keeps the server from being ready; [] when it is."""
    return (await readiness(service))[0]


async def readiness(service: Service) -> tuple[list[str], list[str]]:
    """What keeps the server from being ready, and the models that failed."""
    if draining.on:
        return ["the server is draining"], []
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            fleet = await service.fleet()
            await service.live.learn()  # who reads that it is ready may ask next what it serves
    except Unavailable as error:
        return [error.message], []
    except TimeoutError:
        return ["the queue does not answer"], []
    found = (model.name for model in service.catalog.models if failure_of(model, fleet))
    failed = list(dict.fromkeys(found))
    refused = service.submitter.presence.refused
    wrong = [why for why in (refused, service.store.wrong) if why]
    reasons = wrong + _unserved(service, fleet)
    if service.settings.strict_models:
        reasons += [f"model {name!r} could not be loaded" for name in failed]
    return reasons, failed


def _unserved(service: Service, fleet: FleetView) -> list[str]:
    served: set[object] = set()
    for worker in fleet.workers:
        families = worker.info.get("families")
        ready = worker.alive and not worker.why_waiting and worker.info.get("state") != "loading"
        if ready and isinstance(families, list):
            served.update(families)
    served.update(families_of(service.settings.scale_to_zero))  # started when a job comes
    # A family whose own Redis is away takes only itself along: its models are not ready.
    families = [f for f in service.catalog.families() if f not in fleet.away]
    missing = [f"no worker for family {f!r}" for f in families if f not in served]
    return missing + fleet.why_waiting() if missing else []
