"""What a worker did: batches, loads, tickets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from .instruments import counter, family, histogram

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """What one batch was, and how long its parts took, in seconds."""

    rows: int
    places: int
    decode_s: float
    device_wait_s: float
    compute_s: float
    store_s: float


def batch_ran(model: str, batch: BatchTimes) -> None:
    """Count a batch."""
    _decode_s.labels(model).observe(batch.decode_s)
    _device_wait_s.labels(model).observe(batch.device_wait_s)
    _compute_s.labels(model).observe(batch.compute_s)
    _store_s.labels(model).observe(batch.store_s)
    _rows.labels(model).observe(batch.rows)
    if batch.places:
        _fill.labels(model).observe(batch.rows / batch.places)


def jobs_queued(model: str, lane: str, seconds: Sequence[float]) -> None:
    """Count how long the jobs of a batch waited."""
    _queued_s.labels(model, lane).observe_many(seconds)


def ticket_came(kind: str) -> None:
    """Count a ticket."""
    _tickets.labels(kind).inc()


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
