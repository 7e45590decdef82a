"""The fleet's history as columns: one list a figure, all of one length."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...jobs.fleet_queue import on_each
from ...jobs.group import Group
from ...jobs.history import HistoryPoint, Series, of_one_fleet, read_history
from ...jobs.reach import answers_of_present
from ...tasks.catalog import ModelDeclaration
from .service import Service

Column = Callable[[HistoryPoint], float | None]


def _value(name: str) -> Column:
    return lambda point: point.values.get(name)


def _rate(name: str) -> Column:
    return lambda point: round(point.per_s(name), 4)


def _quantile(share: float) -> Column:
    def column(point: HistoryPoint) -> float | None:
        ms = point.quantile_ms(share)
        return None if ms is None else round(ms, 2)

    return column


def _fill(point: HistoryPoint) -> float | None:
    places = point.values.get("places", 0)
    return round(point.values.get("rows", 0) / places, 4) if places else None


def _busy(point: HistoryPoint) -> float | None:
    """What its device time was of all workers' time."""
    workers = point.values.get("workers", 0)
    return round(min(1.0, point.per_s("device_us") / 1e6 / workers), 4) if workers else None


#: What is told of a model, and of the whole fleet.
_COLUMNS: Mapping[str, Column] = {
    "succeeded_per_s": _rate("succeeded"),
    "failed_per_s": _rate("failed"),
    "rows_per_s": _rate("rows"),
    "p50_ms": _quantile(0.5),
    "p99_ms": _quantile(0.99),
    "waiting": _value("waiting"),
    "oldest_s": lambda point: point.values.get("oldest_ms", 0) / 1000,
    "batch_fill": _fill,
    "busy_share": _busy,
}
_FLEET_COLUMNS: Mapping[str, Column] = {
    **_COLUMNS,
    "busy_share": lambda point: point.values.get("busy_permille", 0) / 1000,
    "submitted_per_s": _rate("submitted"),
    "canceled_per_s": _rate("canceled"),
    "running": _value("running"),
    "workers": _value("workers"),
}


async def history_of(
    service: Service, series: Series, *, since_ms: int, model: ModelDeclaration | None
) -> dict[str, Any]:
    """A series' points after a time. A model that did nothing in a time has zeros for it."""
    calls = [read_history(series, since_ms, service.jobs)]
    if model is not None:
        group = Group(model.family, model.name, model.version)
        calls.append(read_history(series, since_ms, service.jobs, group.model_id))
    answers = await on_each(service.queue, lambda one: asyncio.gather(*map(one.run, calls)))
    found, _ = answers_of_present(answers)
    if model is not None:  # its family's Redis alone, unless that has changed
        found = [each for each in found if each[1]] or found[:1]
    points = of_one_fleet(
        series, [_aligned(each[1], each[0]) if model else each[0] for each in found]
    )
    columns = _COLUMNS if model else _FLEET_COLUMNS
    return {
        "model": model.name if model else None,
        "version": model.version if model else None,
        "period_s": series.period_s,
        "span_s": series.span_s,
        "at_ms": [point.at_ms for point in points],
        **{name: list(map(column, points)) for name, column in columns.items()},
    }


def _aligned(own: Sequence[HistoryPoint], fleet: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """A model's points at the fleet's times."""
    known = {point.id: point for point in own}
    aligned = []
    for whole in fleet:
        found = known.get(whole.id, HistoryPoint(whole.id, {"waiting": 0}, {}))
        beside = {name: whole.values.get(name, 0) for name in ("for_ms", "workers")}
        aligned.append(HistoryPoint(whole.id, {**found.values, **beside}, found.took))
    return aligned
