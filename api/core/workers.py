"""The fleet's processes as an operator sees them, and what he asks of a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...jobs.drain import ask_drain, undrain
from ...jobs.fleet import FleetView, RunningModel, at_work
from ...jobs.fleet_views import WorkerView
from ...jobs.processes import is_silent
from ...jobs.proof import shown
from ...jobs.run_workers import run_workers
from ...protocol.errors import Conflict, NotFound
from .service import Service
from .views import timestamp

#: The family of the workers that do runs.
_RUNS = "runs"


def worker_view(worker: WorkerView, now_ms: int, runs: Sequence[RunningModel]) -> dict[str, Any]:
    """A worker, and what it runs now."""
    info, seen = worker.info, worker.info.get("seen_at_ms")
    return {
        "id": worker.id,
        "node": worker.node,
        "host": info.get("host"),
        "pid": info.get("pid"),
        "version": worker.version or None,
        "queue_format": info.get("queue_format"),
        "alive": worker.alive,
        "families": info.get("families", []),
        "device": info.get("device"),
        "models": info.get("models", []),
        "asleep": info.get("asleep", []),
        "loading": info.get("loading", []),
        "model_bytes": info.get("model_bytes", {}),
        "failed": info.get("failed", {}),
        "state": info.get("state"),
        "reason": info.get("reason", ""),
        "warnings": info.get("warnings", []),
        "running": worker.running,
        "runs": [
            {
                "model": each.group.model,
                "version": each.group.version,
                "jobs": round(each.share * worker.running),
                "for_s": each.for_s,
            }
            for each in runs
        ],
        "busy_share": worker.busy_share,
        "batch_fill": worker.batch_fill,
        "last_seen_s": round((now_ms - seen) / 1000, 1) if isinstance(seen, int) else None,
    }


async def workers_of(service: Service) -> dict[str, Any]:
    """All workers, those that do runs among them, and the APIs."""
    fleet, runs = await service.fleet(), await service.queue.run(at_work(service.jobs))
    seen = [worker_view(each, fleet.now_ms, runs.get(each.id, ())) for each in fleet.workers]
    seen += [worker_view(each, fleet.now_ms, ()) for each in await _run_workers(service, fleet)]
    proof = await service.queue.run(shown(service.jobs))
    return {
        "workers": sorted(seen, key=lambda each: (each["node"], each["id"])),
        "apis": [_api_view(api, proof.processes[api], fleet.now_ms) for api in sorted(proof.apis)],
        "at": timestamp(fleet.now_ms),
    }


def _api_view(api: str, said: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    seen = said.get("seen_at_ms")
    return {
        "id": api,
        "host": said.get("host"),
        "version": said.get("version"),
        "queue_format": said.get("queue_format"),
        "reason": said.get("refused", ""),
        "last_seen_s": round((now_ms - seen) / 1000, 1) if isinstance(seen, int) else None,
    }


async def _run_workers(service: Service, fleet: FleetView) -> list[WorkerView]:
    """Run workers, told as the others: those of an earlier version say little."""
    return [
        WorkerView(
            id=worker,
            alive=not is_silent(info, fleet.now_ms, service.jobs),
            running=int(info.get("running", 0)),
            info={"families": [_RUNS], "state": "ready", **info},
        )
        for worker, info in (await service.queue.run(run_workers(service.jobs))).items()
    ]


async def _named(service: Service, name: str, fleet: FleetView) -> list[WorkerView]:
    """Workers that live by an id or a Celery node name. Raises NotFound that names those there."""
    workers = [*fleet.workers, *await _run_workers(service, fleet)]
    alive = [each for each in workers if each.alive]
    found = [each for each in alive if name in (each.id, each.node)]
    if not found:
        names = ", ".join(sorted({each.node for each in alive})) or "none"
        raise NotFound(f"no worker {name!r} lives; there are: {names}")
    return found


async def drain(service: Service, name: str, *, end: bool = False) -> dict[str, Any]:
    """Have a worker claim no more; with `end` it ends when nothing runs there.

    Raises NotFound, Conflict for a worker of a version that heeds no such word.
    """
    fleet = await service.fleet()
    found = await _named(service, name, fleet)
    if not end:  # it is a word to all that bear the name
        found = await _named(service, found[0].node, fleet)
    for worker in found:
        if not worker.version:
            raise Conflict(
                f"worker {worker.id} is of an earlier version, which knows no drain: end it by"
                " SIGTERM, which finishes what runs"
            )
    if end and len(found) > 1:
        raise Conflict(f"{len(found)} workers bear the name {name!r}: name one by its id")
    for family in {_family(worker) for worker in found}:
        ends = found[0].id if end else ""
        asked = ask_drain(found[0].node, service.jobs, ends=ends, family=family)
        await service.queue.run(asked)
    return {"node": found[0].node, "workers": [each.id for each in found], "end": end}


def _family(worker: WorkerView) -> str:
    """One of its families: all are on one Redis."""
    families = worker.info.get("families")
    return str(families[0]) if isinstance(families, list) and families else ""


async def undrain_worker(service: Service, name: str) -> dict[str, Any]:
    """Let a worker claim again. Raises NotFound where neither it nor a word to it is there."""
    fleet = await service.fleet()
    known = [*fleet.workers, *await _run_workers(service, fleet)]
    nodes = [each.node for each in known if name in (each.id, each.node)]
    if not nodes:  # it is gone: a node's name may have a # of its own, or this is an id
        nodes = [name, name.rpartition("#")[0] or name]
    for node in dict.fromkeys(nodes):
        if await service.queue.run(undrain(node, service.jobs)):
            return {"node": node}
    await _named(service, name, fleet)
    return {"node": nodes[0]}
