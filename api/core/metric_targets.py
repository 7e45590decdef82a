"""Where the fleet's processes show their metrics, in the form of Prometheus' HTTP discovery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from ...jobs.processes import is_silent
from ...jobs.run_workers import run_workers
from .service import Service


async def targets_of(service: Service, request: Request) -> list[dict[str, Any]]:
    """This API as it was reached, and each worker that lives and shows its metrics.

    A worker's `instance` is its Celery node: it stays while ports change with each start.
    """
    fleet = await service.fleet()
    runs = await service.queue.run(run_workers(service.jobs))
    url = request.url
    found = [_target(url.netloc, part="api", __scheme__=url.scheme, __metrics_path__="/metrics")]
    for worker in fleet.workers:
        if worker.alive:
            families = worker.info.get("families")
            named = ",".join(map(str, families)) if isinstance(families, list) else ""
            found += _of_worker(worker.info, part="worker", family=named)
    for info in runs.values():
        if not is_silent(info, fleet.now_ms, service.jobs):
            found += _of_worker(info, part="runs", family="runs")
    return found


def _of_worker(info: Mapping[str, Any], **labels: str) -> list[dict[str, Any]]:
    address = info.get("metrics")
    if not isinstance(address, str) or not address:
        return []  # it shows none, or is of a version before
    device = str(info.get("device") or "")
    return [
        _target(
            address,
            instance=str(info.get("node", "")),
            machine=str(info.get("host", "")),
            **({"device": device} if device else {}),
            **labels,
        )
    ]


def _target(address: str, **labels: str) -> dict[str, Any]:
    return {"targets": [address], "labels": labels}
