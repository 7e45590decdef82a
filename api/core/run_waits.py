"""Runs that nobody is there for: no run worker, or no worker of their model's family."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...jobs.processes import is_silent
from ...jobs.run_records import Run, RunState, StepWait
from ...jobs.run_workers import run_workers
from ...protocol.errors import NotFound
from ..settings import families_of
from .model_status import is_manned

if TYPE_CHECKING:
    from .service import Service

#: Seconds for which a look at who is there holds.
_LOOK_S = 2.0

#: Runs whose wait is remembered, at most.
_MOST = 1000

_NO_RUN_WORKER = "no run worker is there: `wherry worker runs` starts one"


@dataclass(slots=True)
class Missing:
    """Who was missing at the last look of this API, and since when a run was seen to wait."""

    looked_at: float = 0.0
    has_run_workers: bool = True
    #: Families whose workers are gone, or drained.
    unmanned: frozenset[str] = frozenset()
    since: dict[str, float] = field(default_factory=dict)

    async def told(self, service: Service, runs: Sequence[Run]) -> list[Run]:
        """The runs, with what they wait for where that is somebody to do them."""
        if not any(map(_goes_on, runs)):
            return list(runs)
        if time.monotonic() - self.looked_at > _LOOK_S:
            await self._look(service)
        return [self._with_wait(service, run) if _goes_on(run) else run for run in runs]

    async def _look(self, service: Service) -> None:
        self.looked_at = time.monotonic()
        found, now_ms = await service.queue.run(run_workers(service.jobs)), time.time() * 1000
        self.has_run_workers = any(
            not is_silent(said, now_ms, service.jobs) for said in found.values()
        )
        fleet = await service.fleet()
        started = families_of(service.settings.scale_to_zero)  # when a job comes
        self.unmanned = frozenset(
            family
            for family in service.catalog.families()
            if family not in started and not is_manned(family, fleet)
        )

    def _with_wait(self, service: Service, run: Run) -> Run:
        step, reason = self._missing(service, run)
        if not reason:
            self.since.pop(run.spec.id, None)
            return run
        if len(self.since) >= _MOST:
            self.since.clear()
        since = self.since.setdefault(run.spec.id, time.time() * 1000)
        wait = StepWait(step=step, reason=reason, since=since)
        progress = run.progress.model_copy(update={"waits": [wait]})
        return run.model_copy(update={"progress": progress})

    def _missing(self, service: Service, run: Run) -> tuple[str, str]:
        """The step that waits, and for whom; "" for nobody."""
        at = run.progress
        if not self.has_run_workers and not at.shards_running:
            merges = run.state is RunState.MERGING
            return "merge" if merges else "shards" if run.plan else "plan", _NO_RUN_WORKER
        try:
            family = service.catalog.get(run.spec.model, run.spec.version or None).family
        except NotFound:
            return "", ""  # its jobs tell it
        if run.state is RunState.RUNNING and family in self.unmanned:
            return "shards", (
                f"no worker takes jobs of {run.spec.model!r}: `wherry worker {family}` starts one, "
                "`wherry undrain` lets a drained one serve again"
            )
        return "", ""


def _goes_on(run: Run) -> bool:
    """Whether it would, and nothing else is told that keeps it."""
    held = run.state in (RunState.HELD, RunState.PAUSED)
    return not (run.state.terminal or held or run.progress.waits)
