"""What an operator asks of the whole fleet: groups, workers, totals, models' counters."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .call import Call, call_script
from .group import Group
from .keys import Keys
from .record import GroupView, WorkerView
from .settings import JobsSettings


@dataclass(frozen=True, slots=True)
class FleetView:
    """The fleet at one instant."""

    groups: tuple[GroupView, ...]
    workers: tuple[WorkerView, ...]
    totals: dict[str, int]
    unloaded: frozenset[str]
    #: Why, by model/version, for the models that no worker can serve.
    failed: dict[str, str]
    #: How often an operator asked to load a model, by its name.
    load_requests: dict[str, int]
    now_ms: int

    def why_waiting(self) -> list[str]:
        """Why some workers live and serve nothing, a line each."""
        return [
            f"worker {worker.id} does not serve: {worker.why_waiting}"
            for worker in self.workers
            if worker.alive and worker.why_waiting
        ]


def view(settings: JobsSettings, *, groups: bool = True) -> Call[FleetView]:
    """Groups, workers and totals, all of one instant.

    There may be tens of thousands of groups; who asks often does without.
    """
    return call_script(
        "fleet", settings, args={"groups": "1" if groups else "0"}, parse=_read_fleet
    )


def waiting(families: Iterable[str], settings: JobsSettings) -> Call[tuple[Group, ...]]:
    """Some groups that have jobs waiting, a few of each family that has any."""
    return call_script(
        "waiting",
        settings,
        args={"families": families},
        parse=lambda reply: tuple(Group.parse(item.decode()) for item in reply),
    )


def busy(model_ids: Iterable[str], settings: JobsSettings) -> Call[frozenset[str]]:
    """Which of these models, by `Group.model_id`, have jobs that wait or run."""
    return call_script(
        "busy",
        settings,
        args={"models": model_ids},
        parse=lambda reply: frozenset(item.decode() for item in reply),
    )


def stats(model: str, version: str, settings: JobsSettings) -> Call[dict[str, int]]:
    """A model's counters; empty before its first inference."""
    return call_script(
        "stats",
        settings,
        keys={"stats": Keys(settings.key_prefix).stats(model, version)},
        parse=lambda reply: {k: int(v) for k, v in _pairs(reply).items()},
    )


def set_loaded(model: str, settings: JobsSettings, *, loaded: bool) -> Call[bool]:
    """Open a model to submissions, or close it. Answers whether that changed anything."""
    return call_script(
        "load",
        settings,
        keys={"unloaded": Keys(settings.key_prefix).unloaded},
        args={"model": model, "loaded": "1" if loaded else "0"},
        parse=bool,
    )


def heartbeat(worker: str, info: dict[str, object], settings: JobsSettings) -> Call[None]:
    """Renew a worker's lease on all it runs."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "heartbeat",
        settings,
        keys={"alive": keys.alive(worker), "workers": keys.workers},
        args={
            "worker": worker,
            "info": json.dumps(info),
            "ttl_ms": int(settings.lease_ttl_s * 1000),
        },
        parse=lambda _: None,
    )


def uptime() -> Call[float]:
    """Seconds since Redis was started."""
    return Call([("INFO", "server")], parse=lambda info: float(info["uptime_in_seconds"]))


def _pairs(flat: list[bytes]) -> dict[str, str]:
    words = [item.decode() for item in flat]
    return dict(zip(words[::2], words[1::2], strict=True))


def _read_fleet(reply: list[Any]) -> FleetView:
    now_ms, totals, unloaded, failed, load_requests, groups, workers = reply
    return FleetView(
        groups=tuple(_group(item, int(now_ms)) for item in groups),
        workers=tuple(_worker(item) for item in workers),
        totals={k: int(v) for k, v in _pairs(totals).items()},
        unloaded=frozenset(item.decode() for item in unloaded),
        failed=_pairs(failed),
        load_requests={k: int(v) for k, v in _pairs(load_requests).items()},
        now_ms=int(now_ms),
    )


def _group(item: list[Any], now_ms: int) -> GroupView:
    fields = _pairs(item[1])
    rate = float(fields.get("rate", 0)) * math.exp(
        -(time.time() * 1000 - float(fields.get("rate_at", 0))) / 10_000
    )
    capacity = int(fields.get("capacity", 0))
    return GroupView(
        group=Group.parse(item[0].decode()),
        waiting=int(fields.get("waiting", 0)),
        running=int(fields.get("running", 0)),
        oldest_s=max(0.0, (now_ms - int(item[2])) / 1000) if item[2] else 0.0,
        jobs_per_s=round(rate, 2),
        batch_fill=round(int(fields.get("rows", 0)) / capacity, 4) if capacity else 0.0,
    )


def _worker(item: list[Any]) -> WorkerView:
    worker, info, running = item
    return WorkerView(
        id=worker.decode(),
        alive=bool(info),
        running=int(running),
        info=json.loads(info) if info else {},
    )
