"""What a worker's page of metrics tells of its batches, its models and its device."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from .. import __version__
from ..jobs.record import BatchStats, Claim
from ..tasks.backends.device import Device
from ..telemetry import worker_metrics
from ..telemetry.metrics_page import MetricsPage
from ..telemetry.worker_metrics import GpuState, StateCollector, WorkerState
from .device import gpu_fields
from .models import Models

#: Seconds that what the driver told of a GPU is good for: to ask it starts a process.
_GPU_GOOD_S = 5.0


def page_of(device: Device, models: Models) -> MetricsPage:
    """What a worker shows: what it did, and what it holds when it is asked."""
    page = MetricsPage(
        "worker", __version__, [worker_metrics.REGISTRY], flushes=[worker_metrics.flush]
    )
    gpu = Gpu() if device.name.startswith("cuda") else None

    def state() -> WorkerState:
        return WorkerState(
            device=device.asked,
            busy_s=device.busy_so_far_s,
            models=[(m.declaration.name, m.declaration.version, m.bytes) for m in models],
            gpu=gpu.state() if gpu else None,
        )

    page.register(StateCollector(state))
    return page


class Gpu:
    """The GPU that this process has, as the driver's own tool tells of it."""

    def __init__(
        self,
        ask: Callable[[], list[str]] = gpu_fields,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._clock = ask, clock
        self._asked_at: float | None = None
        self._state: GpuState | None = None

    def state(self) -> GpuState | None:
        """As of a moment ago; None where nothing is told."""
        now = self._clock()
        if self._asked_at is None or now - self._asked_at >= _GPU_GOOD_S:
            self._asked_at, self._state = now, _gpu_state(self._ask())
        return self._state


def _gpu_state(fields: list[str]) -> GpuState | None:
    """From uuid, percent, used MiB and total MiB; a part of a GPU has no percent of its own."""
    if len(fields) != 4 or not all(re.fullmatch(r"\d+", each) for each in fields[2:]):
        return None
    uuid, percent, used, total = fields
    share = int(percent) / 100 if percent.isdecimal() else None
    return GpuState(uuid, share, int(used) << 20, int(total) << 20)


def count_claim(claim: Claim) -> None:
    """Count a ticket that brought jobs, and how long these waited until now."""
    now_ms = time.time() * 1000
    worker_metrics.jobs_claimed(
        now_ms,
        [
            (share.group.model, share.group.lane, [job.created_at_ms for job in share.jobs])
            for share in claim.shares
        ],
    )


def count_batch(stats: BatchStats) -> None:
    """Count a batch that ran."""
    worker_metrics.batch_ran(stats.group.model, stats)
