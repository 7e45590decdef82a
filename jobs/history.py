"""What the fleet did lately: points that keepers write of counters which exist, at two steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .call import Call, call_script
from .fleet import FleetView
from .keys import Keys
from .settings import JobsSettings

#: `finish` counts how long jobs took in steps of which so many make twice the time, in µs.
_STEPS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """Points at one distance; older ones are dropped."""

    period_s: int
    most: int

    @property
    def span_s(self) -> int:
        """Seconds that it reaches back."""
        return self.period_s * self.most

    def __str__(self) -> str:
        return f"the last {self.span_s} s"


#: The last hour, and the last day. What a fleet keeps of itself is bounded by these.
SERIES = (Series(10, 360), Series(60, 1440))


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """What happened between the point before and this one, and what waited then."""

    #: In the stream. A model's point has that of the fleet's: one script wrote both.
    id: str
    #: Gains of the counters, and gauges, by name; sample.lua says which.
    values: Mapping[str, int]
    #: How many jobs took about how long, by step.
    took: Mapping[int, int]

    @property
    def at_ms(self) -> int:
        """When it was written."""
        return int(self.id.partition("-")[0])

    def per_s(self, name: str) -> float:
        """A counter's gain in a second."""
        return self.values.get(name, 0) * 1000 / max(1, self.values.get("for_ms", 0))

    def quantile_ms(self, share: float) -> float | None:
        """Within how many ms, from submit to end, this share of jobs succeeded; None without any.

        As exact as its step, which is a fifth of the time.
        """
        rank, seen = share * sum(self.took.values()), 0
        for step, count in sorted(self.took.items()):
            if seen + count >= rank:
                within = (rank - seen) / count
                return math.pow(2, (step + within) / _STEPS) / 1000
            seen += count
        return None


def sample(series: Series, fleet: FleetView, settings: JobsSettings) -> Call[float]:
    """Write a series' next point, if nobody has: all keepers may. Answers in how many s one is due.

    A model's own series has a point for each time in which it did something or had jobs waiting.
    """
    keys = Keys(settings.key_prefix)
    living = [worker for worker in fleet.workers if worker.alive]
    models = sorted({str(model_id) for worker in living for model_id in worker.served})
    busy = [worker.busy_share for worker in living if worker.busy_share is not None]
    return call_script(
        "sample",
        settings,
        keys={
            "series": keys.history(series.period_s),
            "last": keys.counted(series.period_s),
            "totals": keys.totals,
            "groups": keys.groups,
            "stats": [keys.stats(*map(unquote, each.split("/"))) for each in models],
        },
        args={
            "period_ms": series.period_s * 1000,
            "most": series.most,
            "workers": len(living),
            "busy": sum(busy) / len(busy) if busy else 0,
            "models": models,
        },
        parse=lambda reply: int(reply) / 1000,
    )


def read_history(
    series: Series, since_ms: int, settings: JobsSettings, model_id: str = ""
) -> Call[tuple[HistoryPoint, ...]]:
    """The points after a time, of the whole fleet or of a model, oldest first."""
    key = Keys(settings.key_prefix).history(series.period_s)
    key = f"{key}:{model_id}" if model_id else key
    command = ("XRANGE", key, f"({since_ms}" if since_ms > 0 else "-", "+")
    return Call([command], parse=_read)


def of_one_fleet(
    series: Series, found: Sequence[Sequence[HistoryPoint]]
) -> tuple[HistoryPoint, ...]:
    """One history of those on several Redis servers: what happened in the same time is one."""
    if len(found) == 1:
        return tuple(found[0])
    slots: dict[int, list[HistoryPoint]] = {}
    for points in found:
        for point in points:
            slots.setdefault(point.at_ms // (series.period_s * 1000), []).append(point)
    return tuple(_one_point(slots[slot]) for slot in sorted(slots))


#: Values of which the largest stands for all.
_LARGEST = ("for_ms", "oldest_ms")


def _one_point(points: Sequence[HistoryPoint]) -> HistoryPoint:
    values: dict[str, int] = {}
    took: dict[int, int] = {}
    for point in points:
        for name, value in point.values.items():
            before = values.get(name, 0)
            values[name] = max(before, value) if name in _LARGEST else before + value
        for step, count in point.took.items():
            took[step] = took.get(step, 0) + count
    if workers := values.get("workers", 0):
        busy = sum(p.values.get("busy_permille", 0) * p.values.get("workers", 0) for p in points)
        values["busy_permille"] = busy // workers
    return HistoryPoint(max(points, key=lambda point: point.at_ms).id, values, took)


def _read(reply: Sequence[tuple[bytes, Any]]) -> tuple[HistoryPoint, ...]:
    return tuple(_point(name, fields) for name, fields in reply)


def _point(name: bytes, fields: Any) -> HistoryPoint:
    # Read by name or as Redis sends them: pipelines of both kinds come here.
    flat = isinstance(fields, list)
    pairs = zip(fields[::2], fields[1::2], strict=True) if flat else fields.items()
    told = {field.decode(): value for field, value in pairs}
    took = (step.split(b":") for step in told.pop("took", b"").split())
    return HistoryPoint(
        id=name.decode(),
        values={field: int(value) for field, value in told.items()},
        took={int(step): int(count) for step, count in took},
    )
