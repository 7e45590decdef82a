"""What the fleet's jobs will take: device seconds of what waits and of what runs, by model.

Never from the length of a list: a model's batches take what they took lately, by their size, and
rows that wait are counted by a sample of the jobs that do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .call import Call, call_script
from .group import Group
from .keys import Keys
from .reach import of_family
from .settings import JobsSettings

#: Where the pages of groups begin, and what stands for the next one at their end.
FIRST_PAGE = "0"

#: Seconds that a batch keeps one of a worker's threads at least, whatever its device does: ticket,
#: claim and finish. The same as in claim.lua.
_LEAST_S = 0.002

#: Batches that a worker has in hand at a time: Celery's threads, as `wherry worker` starts them.
THREADS = 3

#: Seconds over which a group's device time a second is forgotten, as in finish.lua.
FORGET_S = 60.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What batches of a model took lately."""

    #: Device seconds of a row, by the size of its batch: floor(log2(rows)), as claim.lua keeps it.
    row_s: Mapping[int, float] = field(default_factory=dict)
    #: Seconds that a batch spends beside its device, in a thread, for each that it computes.
    beside: float = 0.0
    #: Whether any of its jobs has ended: one that has and took no device never will.
    has_run: bool = False

    @property
    def known(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.row_s) or self.has_run

    @property
    def worker_share(self) -> float:
        """Seconds that a worker is kept for each that its device computes, in large batches."""
        return max(1.0, (1 + self.beside) / THREADS)

    def batch_s(self, rows: float, unknown_row_s: float) -> float:
        """Device seconds of a batch of so many rows; of the next size known where that is not."""
        if not self.row_s:
            return 0.0 if self.has_run else rows * unknown_row_s
        size = int(math.log2(max(1.0, rows)))
        nearest = min(self.row_s, key=lambda known: (abs(known - size), -known))
        # Either way the most that it can be: fewer rows take no longer than more, and a row of
        # a larger batch no more than one of a smaller.
        return max(rows, 2.0**nearest if nearest > size else 0.0) * self.row_s[nearest]

    def work(self, jobs: int, rows: float, most: int, unknown_row_s: float) -> DeviceWork:
        """What so many jobs take that have so many rows, in batches of `most` at most."""
        if jobs <= 0:
            return NOTHING
        full, rest = divmod(rows, max(1, most))
        sizes = [(full, float(max(1, most)))] if full else []
        sizes += [(1.0, rest)] if rest else []
        device_s = worker_s = 0.0
        for times, size in sizes:
            each = self.batch_s(size, unknown_row_s)
            device_s += times * each
            worker_s += times * max(each * self.worker_share, _LEAST_S)
        return DeviceWork(device_s, worker_s, min(jobs, math.ceil(rows / max(1, most))))


@dataclass(frozen=True, slots=True)
class DeviceWork:
    """Seconds of a device, seconds that they keep a worker, which are no fewer, and in how many
    batches: so many workers can share it.
    """

    device_s: float = 0.0
    worker_s: float = 0.0
    batches: int = 0

    def __add__(self, other: DeviceWork) -> DeviceWork:
        return DeviceWork(
            self.device_s + other.device_s,
            self.worker_s + other.worker_s,
            self.batches + other.batches,
        )


NOTHING = DeviceWork()


@dataclass(frozen=True, slots=True)
class GroupDemand:
    """What a group has waiting, in jobs and about so many rows."""

    group: Group
    waiting: int
    running: int
    waiting_rows: float
    oldest_s: float
    #: Device seconds a second that its jobs took over the last minute.
    device_s_per_s: float


@dataclass(frozen=True, slots=True)
class Running:
    """What a worker runs: jobs, and the rows of a sample of them by group."""

    jobs: int
    rows: Mapping[Group, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class DemandPage:
    """Some groups, and with the first page what each worker runs."""

    groups: tuple[GroupDemand, ...]
    workers: Mapping[str, Running]
    #: The cursor of the next page; FIRST_PAGE at the end.
    following: str


def demand_page(settings: JobsSettings, cursor: str = FIRST_PAGE) -> Call[DemandPage]:
    """A page of what waits and runs on a Redis. A group on two pages counts by its last one."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "demand",
        settings,
        keys={"groups": keys.groups, "workers": keys.workers},
        args={"cursor": cursor},
        parse=_page,
    )


def read_pace(family: str, settings: JobsSettings) -> Call[Mapping[str, Mapping[int, float]]]:
    """Device seconds of a row, by `Group.model_id` and size of batch, of a family's models."""
    key = Keys(settings.key_prefix).pace(family)
    return Call([("HGETALL", key)], parse=_pace, reach=of_family(family))


_COUNTED = ("success_count", "fail_count", "input_us", "compute_us", "output_us")


@dataclass(frozen=True, slots=True)
class Counted:
    """What a model's counters say of its jobs."""

    beside: float
    has_run: bool


def read_counted(model: Group, settings: JobsSettings) -> Call[Counted]:
    """What its batches do beside their device, since the counters began."""
    key = Keys(settings.key_prefix).stats(model.model, model.version)
    return Call([("HMGET", key, *_COUNTED)], parse=_counted, reach=of_family(model.family))


def _pace(reply: Any) -> Mapping[str, Mapping[int, float]]:
    # Read by name or as Redis sends them: pipelines of both kinds come here.
    pairs: Iterable[tuple[bytes, bytes]] = (
        zip(reply[::2], reply[1::2], strict=True) if isinstance(reply, list) else reply.items()
    )
    found: dict[str, dict[int, float]] = {}
    for name, value in pairs:
        model_id, _, size = name.decode().rpartition(" ")
        if model_id and float(value) > 0:
            found.setdefault(model_id, {})[int(size)] = float(value) / 1e6
    return found


def _counted(reply: list[bytes | None]) -> Counted:
    good, bad, input_us, compute_us, output_us = (float(value or 0) for value in reply)
    return Counted(
        beside=(input_us + output_us) / compute_us if compute_us else 0.0,
        has_run=good + bad > 0,
    )


def _page(reply: list[Any]) -> DemandPage:
    cursor, now_ms, workers, groups = reply
    return DemandPage(
        groups=tuple(_group(item, int(now_ms)) for item in groups),
        workers={item[0].decode(): _running(item[1], item[2]) for item in workers},
        following=cursor.decode(),
    )


def _running(jobs: int, sample: list[bytes]) -> Running:
    rows: dict[Group, tuple[int, int]] = {}
    for group_id, count in zip(sample[::2], sample[1::2], strict=True):
        group = Group.parse(group_id.decode())
        seen, total = rows.get(group, (0, 0))
        rows[group] = seen + 1, total + int(count)
    return Running(int(jobs), rows)


def _group(item: list[Any], now_ms: int) -> GroupDemand:
    group_id, born, waiting, running, sampled, rows, device = item
    device_us, device_at = map(float, device.split())
    mean = int(rows) / int(sampled) if int(sampled) else 1.0
    return GroupDemand(
        group=Group.parse(group_id.decode()),
        waiting=int(waiting),
        running=int(running),
        waiting_rows=int(waiting) * mean,
        oldest_s=max(0.0, (now_ms - int(born)) / 1000) if born else 0.0,
        device_s_per_s=device_us / 1e6 * math.exp(-max(0.0, now_ms - device_at) / 1000 / FORGET_S),
    )
