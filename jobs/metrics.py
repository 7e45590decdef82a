"""What Redis counts of the fleet, for whoever shows metrics."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .call import Call, call_script
from .group import Group
from .keys import Keys
from .settings import JobsSettings

#: Models that one call looks at, which takes Redis a millisecond at most.
MODELS_A_CALL = 100


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that goes on."""

    id: str
    state: str
    #: 0 to 1; None while nobody knows how many rows it has.
    progress: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCounts:
    """Counters since the fleet began, and what is there now."""

    totals: Mapping[str, int]
    dead_letters: int
    webhooks_pending: int
    webhooks_failed: int
    webhook_totals: Mapping[str, int]
    #: Device time in µs of the tenants that had most.
    tenant_device_us: Mapping[str, float]
    run_totals: Mapping[str, int]
    live_runs: Sequence[LiveRun]
    server: ServerCounts

    @classmethod
    def of_all(cls, counts: Sequence[FleetCounts]) -> FleetCounts:
        """Those of several Redis servers as one; the server is the first."""
        return cls(
            totals=_summed(each.totals for each in counts),
            dead_letters=sum(each.dead_letters for each in counts),
            webhooks_pending=sum(each.webhooks_pending for each in counts),
            webhooks_failed=sum(each.webhooks_failed for each in counts),
            webhook_totals=_summed(each.webhook_totals for each in counts),
            tenant_device_us=_summed(each.tenant_device_us for each in counts),
            run_totals=_summed(each.run_totals for each in counts),
            live_runs=[run for each in counts for run in each.live_runs],
            server=counts[0].server,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """What a Redis says of itself."""

    #: None where the server does not tell.
    memory_used_bytes: int | None
    #: 0 for no limit.
    memory_max_bytes: int | None
    #: None where the server does not tell.
    aof_enabled: bool | None
    aof_ok: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCounts:
    """What a model has done. Times are sums in µs, of jobs that succeeded but for `device`."""

    succeeded: int
    #: State and error type ("" but for failed ones) -> how many.
    ended: Mapping[tuple[str, str], int]
    rows: int
    forwards: int
    places: int
    total_us: int
    queue_us: int
    input_us: int
    compute_us: int
    output_us: int
    device_us: int
    #: Jobs that succeeded by about how long they took: step s is from 2^(s/4) µs to the next.
    took: Mapping[int, int]

    def __add__(self, other: ModelCounts) -> ModelCounts:
        """Both: a family that has moved has some on each of two Redis servers."""
        total: dict[str, Any] = {}  # numbers, and counts by some name
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            is_named = isinstance(mine, Mapping)
            total[field.name] = _summed((mine, theirs)) if is_named else mine + theirs
        return ModelCounts(**total)


def fleet_counts(settings: JobsSettings) -> Call[FleetCounts]:
    """Counters and gauges of what one Redis has, of one instant."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "metrics",
        settings,
        keys={
            "totals": keys.totals,
            "dead": keys.dead,
            "webhooks": keys.webhooks,
            "webhooks_due": keys.webhooks_due,
            "webhooks_failed": keys.webhooks_failed,
            "webhook_totals": keys.webhook_totals,
            "tenants": keys.tenant_device,
            "runs_live": keys.runs_live,
            "run_totals": keys.run_totals,
        },
        parse=_fleet_counts,
    )


def model_counts(
    models: Sequence[tuple[str, str]], settings: JobsSettings
) -> Call[Mapping[tuple[str, str], ModelCounts]]:
    """What some models, by name and version, have done on one Redis: MODELS_A_CALL at most."""
    keys = Keys(settings.key_prefix)
    ids = [Group("-", model, version).model_id for model, version in models]
    return call_script(
        "model_counts",
        settings,
        keys={
            "models": [
                {"stats": keys.stats(*model), "ends": keys.ends(i), "took": keys.took(i)}
                for model, i in zip(models, ids, strict=True)
            ]
        },
        parse=lambda reply: {
            model: _model_counts(*reply[3 * n : 3 * n + 3]) for n, model in enumerate(models)
        },
    )


def _fleet_counts(reply: list[Any]) -> FleetCounts:
    totals, dead, pending, failed, hooks, tenants, runs, live, memory, persistence = reply
    aof = _told(persistence, "aof_enabled")
    good = [_said(persistence, f"aof_last_{what}_status") for what in ("write", "bgrewrite")]
    return FleetCounts(
        totals=_numbers(totals),
        dead_letters=dead,
        webhooks_pending=pending,
        webhooks_failed=failed,
        webhook_totals=_numbers(hooks),
        tenant_device_us={k.decode(): float(v) for k, v in _pairs(tenants)},
        run_totals=_numbers(runs),
        live_runs=[_live_run(*each) for each in live],
        server=ServerCounts(
            memory_used_bytes=_told(memory, "used_memory"),
            memory_max_bytes=_told(memory, "maxmemory"),
            aof_enabled=None if aof is None else bool(aof),
            aof_ok=all(each in ("ok", "") for each in good) if aof else None,
        ),
    )


_Key = TypeVar("_Key", bound=Hashable)
_Count = TypeVar("_Count", int, float)


def _summed(counts: Iterable[Mapping[_Key, _Count]]) -> dict[_Key, _Count]:
    total: dict[_Key, _Count] = {}
    for each in counts:
        for key, count in each.items():
            total[key] = total[key] + count if key in total else count
    return total


def _live_run(run: bytes, state: bytes, *counts: bytes) -> LiveRun:
    *answered, rows = counts
    progress = sum(int(float(n)) for n in answered) / int(rows) if int(rows or 0) else None
    return LiveRun(run.decode(), state.decode(), None if progress is None else min(1.0, progress))


def _model_counts(stats: list[bytes | None], ends: list[bytes], took: list[bytes]) -> ModelCounts:
    numbers = [int(value or 0) for value in stats]
    good, rows, forwards, places, total, queue, read, compute, output, device = numbers
    ended = {}
    for kind, count in _numbers(ends).items():
        state, _, error_type = kind.partition(" ")
        ended[state, error_type] = count
    return ModelCounts(
        succeeded=good,
        ended=ended,
        rows=rows,
        forwards=forwards,
        places=places,
        total_us=total,
        queue_us=queue,
        input_us=read,
        compute_us=compute,
        output_us=output,
        device_us=device,
        took={int(step): count for step, count in _numbers(took).items()},
    )


def _pairs(flat: list[bytes]) -> Sequence[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _numbers(flat: list[bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in _pairs(flat)}


def _said(info: bytes, name: str) -> str:
    found = re.search(rf"^{name}:(\S*)", info.decode("utf-8", "replace"), re.MULTILINE)
    return found[1] if found else ""


def _told(info: bytes, name: str) -> int | None:
    text = _said(info, name)
    return int(text) if text.isdecimal() else None
