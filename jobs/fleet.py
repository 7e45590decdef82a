"""What an operator asks of the whole fleet: groups, workers, totals, models' counters."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .call import Call, call_script
from .fleet_views import GroupView, WorkerView
from .group import Group
from .keys import Keys
from .reach import RedisAway, answers_of_present, everywhere, of_all
from .settings import JobsSettings


@dataclass(frozen=True, slots=True)
class FleetView:
    """The fleet at one instant."""

    workers: tuple[WorkerView, ...]
    totals: dict[str, int]
    unloaded: frozenset[str]
    #: Why, by model/version, for the models that no worker can serve.
    failed: dict[str, str]
    #: How often an operator asked to load a model, by its name.
    load_requests: dict[str, int]
    now_ms: int
    #: Families whose own Redis is away: of these nothing is known now.
    away: frozenset[str] = frozenset()

    def why_waiting(self) -> list[str]:
        """Why some workers live and serve nothing, a line each."""
        return [
            f"worker {worker.id} does not serve: {worker.why_waiting}"
            for worker in self.workers
            if worker.alive and worker.why_waiting
        ]


#: Where the pages of groups begin, and what stands for the next one at their end.
FIRST_GROUPS = "0"


def view(settings: JobsSettings) -> Call[FleetView]:
    """Workers and totals, all of one instant."""
    return call_script("fleet", settings, parse=_read_fleet, reach=of_all(one_view))


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A model that a worker runs now: the share of its jobs, and how long the oldest has run."""

    group: Group
    share: float
    for_s: float


def at_work(settings: JobsSettings) -> Call[Mapping[str, tuple[RunningModel, ...]]]:
    """What each worker runs now, by some of its jobs; the model with the most comes first."""
    return call_script(
        "at_work",
        settings,
        keys={"workers": Keys(settings.key_prefix).workers},
        parse=_read_at_work,
        reach=of_all(_one_mapping),
    )


def groups(
    settings: JobsSettings, cursor: str = FIRST_GROUPS
) -> Call[tuple[dict[str, GroupView], str]]:
    """Some of the groups by their ids, as they are now, and the cursor of the next page.

    There may be tens of thousands: a call holds Redis up for a millisecond. Groups that come or go
    between two calls may be missed; one may be on two pages.
    """
    return call_script(
        "groups",
        settings,
        keys={"groups": Keys(settings.key_prefix).groups},
        args={"cursor": cursor},
        parse=_read_groups,
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
        reach=of_all(_one_count),
    )


def set_loaded(model: str, settings: JobsSettings, *, loaded: bool) -> Call[bool]:
    """Open a model to submissions, or close it. Answers whether that changed anything."""
    return call_script(
        "load",
        settings,
        keys={"unloaded": Keys(settings.key_prefix).unloaded},
        args={"model": model, "loaded": "1" if loaded else "0"},
        parse=bool,
        reach=of_all(everywhere),
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
    now_ms, totals, unloaded, failed, load_requests, workers = reply
    return FleetView(
        workers=tuple(_worker(item) for item in workers),
        totals={k: int(v) for k, v in _pairs(totals).items()},
        unloaded=frozenset(item.decode() for item in unloaded),
        failed=_pairs(failed),
        load_requests={k: int(v) for k, v in _pairs(load_requests).items()},
        now_ms=int(now_ms),
    )


def one_view(answers: Sequence[FleetView | Exception]) -> FleetView:
    """The fleet of all Redis servers that answer, home first. Raises Unavailable without home."""
    views, away = answers_of_present(answers)
    home = views[0]
    return FleetView(
        workers=tuple(worker for each in views for worker in each.workers),
        totals=_summed(each.totals for each in views),
        unloaded=frozenset().union(*(each.unloaded for each in views)),
        failed={name: why for each in views for name, why in each.failed.items()},
        load_requests=home.load_requests,
        now_ms=home.now_ms,
        away=away,
    )


def _summed(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counted:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total


def _one_mapping(
    answers: Sequence[Mapping[str, tuple[RunningModel, ...]] | Exception],
) -> Mapping[str, tuple[RunningModel, ...]]:
    return {name: runs for each in answers_of_present(answers)[0] for name, runs in each.items()}


def _one_count(answers: Sequence[dict[str, int] | Exception]) -> dict[str, int]:
    """A model's counters: of a family that has moved, on two. Raises RedisAway for none known."""
    counted, away = answers_of_present(answers)
    total = _summed(counted)
    if away and not total:
        raise RedisAway(away)
    latest = [each["last_inference"] for each in counted if "last_inference" in each]
    return total | ({"last_inference": max(latest)} if latest else {})


def _read_groups(reply: list[Any]) -> tuple[dict[str, GroupView], str]:
    cursor, now_ms, *found = reply
    return {item[0].decode(): _group(item, int(now_ms)) for item in found}, cursor.decode()


def _group(item: list[bytes], now_ms: int) -> GroupView:
    group_id, born, waiting, running, rate, rate_at, rows, capacity, weight, device = item
    per_s = float(rate) * math.exp(-(time.time() * 1000 - float(rate_at)) / 10_000)
    device_us, device_at = map(float, device.split())
    return GroupView(
        group=Group.parse(group_id.decode()),
        waiting=int(waiting),
        running=int(running),
        oldest_s=max(0.0, (now_ms - int(born)) / 1000) if born else 0.0,
        jobs_per_s=round(per_s, 2),
        batch_fill=round(int(rows) / int(capacity), 4) if int(capacity) else 0.0,
        weight=float(weight),
        device_s_per_s=round(device_us / 1e6 * math.exp(-max(0, now_ms - device_at) / 60_000), 6),
    )


def _read_at_work(reply: list[Any]) -> Mapping[str, tuple[RunningModel, ...]]:
    now_ms, *workers = reply
    return {worker.decode(): _running(found, int(now_ms)) for worker, *found in workers}


def _running(found: list[bytes], now_ms: int) -> tuple[RunningModel, ...]:
    begun: dict[str, tuple[Group, list[int]]] = {}
    for group_id, started_ms in zip(found[::2], found[1::2], strict=True):
        group = Group.parse(group_id.decode())
        begun.setdefault(group.model_id, (group, []))[1].append(int(started_ms))
    most_first = sorted(begun.values(), key=lambda each: -len(each[1]))
    return tuple(
        RunningModel(group, 2 * len(at) / len(found), max(0, now_ms - min(at)) / 1000)
        for group, at in most_first
    )


def _worker(item: list[Any]) -> WorkerView:
    worker, info, running = item
    return WorkerView(
        id=worker.decode(),
        alive=bool(info),
        running=int(running),
        info=json.loads(info) if info else {},
    )
