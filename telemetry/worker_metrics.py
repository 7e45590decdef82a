"""What a worker did: batches, loads, tickets."""

from __future__ import annotations

from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from .instruments import Pending, by_kind, counter, family, histogram

#: What is on a worker's page besides.
REGISTRY = CollectorRegistry()

_queued_s = histogram("wherry_job_queue_duration_seconds", REGISTRY)
_decode_s = histogram("wherry_batch_decode_duration_seconds", REGISTRY)
_device_wait_s = histogram("wherry_batch_device_wait_duration_seconds", REGISTRY)
_compute_s = histogram("wherry_batch_compute_duration_seconds", REGISTRY)
_store_s = histogram("wherry_batch_store_duration_seconds", REGISTRY)
_rows = histogram("wherry_batch_rows", REGISTRY)
_fill = histogram("wherry_batch_fill_ratio", REGISTRY)
_loads = counter("wherry_model_loads_total", REGISTRY)
_load_s = histogram("wherry_model_load_duration_seconds", REGISTRY)
_tickets = counter("wherry_tickets_total", REGISTRY)
_restarts = counter("wherry_consumer_restarts_total", REGISTRY)
_out_of_memory = counter("wherry_out_of_memory_total", REGISTRY)

for _kind in ("claimed", "empty", "passed_on", "parked"):
    _tickets.labels(_kind)


class BatchTimes(Protocol):
    """What a batch was, and how long it and its parts took, in µs."""

    @property
    def rows(self) -> int:
        """Rows that it had."""
        ...

    @property
    def max_rows(self) -> int:
        """Rows that its forwards had room for; 0 where nothing was run."""
        ...

    @property
    def total_us(self) -> int:
        """All of it."""
        ...

    @property
    def waited_us(self) -> int:
        """For the device."""
        ...

    @property
    def compute_us(self) -> int:
        """On the device."""
        ...

    @property
    def output_us(self) -> int:
        """To write the answers down."""
        ...


def _count_batches(seen: Sequence[tuple[str, BatchTimes]]) -> None:
    for model, batches in by_kind(seen).items():
        rest = [b.total_us - b.waited_us - b.compute_us - b.output_us for b in batches]
        _decode_s.labels(model).observe_many([max(0, us) / 1e6 for us in rest])
        _device_wait_s.labels(model).observe_many([each.waited_us / 1e6 for each in batches])
        _compute_s.labels(model).observe_many([each.compute_us / 1e6 for each in batches])
        _store_s.labels(model).observe_many([each.output_us / 1e6 for each in batches])
        _rows.labels(model).observe_many([each.rows for each in batches])
        filled = [each.rows / each.max_rows for each in batches if each.max_rows]
        _fill.labels(model).observe_many(filled)


#: Model, lane, and when its jobs were submitted, in ms since the epoch.
Claimed = tuple[str, str, Sequence[int]]


def _count_claims(seen: Sequence[tuple[float, Sequence[Claimed]]]) -> None:
    waited: dict[tuple[str, str], list[float]] = defaultdict(list)
    for now_ms, claimed in seen:
        for model, lane, created_ms in claimed:
            waited[model, lane] += [(now_ms - at) / 1000 for at in created_ms]
    for (model, lane), seconds in waited.items():
        if min(seconds) < 0:  # clocks of two machines may differ
            seconds = [max(0.0, each) for each in seconds]
        _queued_s.labels(model, lane).observe_many(seconds)
    _tickets.labels("claimed").inc(len(seen))


def _count_tickets(seen: Sequence[str]) -> None:
    for kind, count in Counted(seen).items():
        _tickets.labels(kind).inc(count)


_batches, _claims, _came = Pending(_count_batches), Pending(_count_claims), Pending(_count_tickets)


def batch_ran(model: str, batch: BatchTimes) -> None:
    """Note a batch."""
    _batches.note((model, batch))


def jobs_claimed(now_ms: float, claimed: Sequence[Claimed]) -> None:
    """Note a ticket that brought jobs, and how long these had waited until now."""
    _claims.note((now_ms, claimed))


def ticket_came(kind: str) -> None:
    """Note a ticket that brought none."""
    _came.note(kind)


def flush() -> None:
    """Count what was noted."""
    for pending in (_batches, _claims, _came):
        pending.flush()


def model_loaded(model: str, seconds: float) -> None:
    """Count a load that went well."""
    _loads.labels(model, "ok").inc()
    _load_s.labels(model).observe(seconds)


def model_failed(model: str) -> None:
    """Count a load that did not."""
    _loads.labels(model, "failed").inc()


def consumer_restarted() -> None:
    """Count a restart of Celery's consumer."""
    _restarts.inc()


def ran_out_of_memory(model: str, times: int) -> None:
    """Count forwards that ran out of memory."""
    _out_of_memory.labels(model).inc(times)


@dataclass(frozen=True, slots=True)
class GpuState:
    """A GPU as its driver tells."""

    uuid: str
    #: 0 to 1; None where it does not tell.
    utilization: float | None
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker holds when it is asked."""

    device: str
    busy_s: float
    #: Model, version, bytes.
    models: Sequence[tuple[str, str, int]]
    gpu: GpuState | None = None


class StateCollector(Collector):
    """Shows what a worker holds, as of when the page is asked for."""

    def __init__(self, state: Callable[[], WorkerState]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """The metrics of it."""
        now = self._state()
        yield family("wherry_device_busy_seconds_total", [((now.device,), now.busy_s)])
        yield family(
            "wherry_model_memory_bytes",
            [((model, version), size) for model, version, size in now.models],
        )
        if (gpu := now.gpu) is None:
            return
        used, total = gpu.used_bytes, gpu.total_bytes
        memory = [((now.device, "used"), used), ((now.device, "total"), total)]
        yield family("wherry_device_memory_bytes", memory)
        yield family("nv_gpu_memory_used_bytes", [((gpu.uuid,), used)])
        yield family("nv_gpu_memory_total_bytes", [((gpu.uuid,), total)])
        if gpu.utilization is not None:
            yield family("nv_gpu_utilization", [((gpu.uuid,), gpu.utilization)])
