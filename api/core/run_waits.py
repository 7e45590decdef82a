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

#: As families are named, which have no space.
_RUN_WORKERS = "run workers"

_NO_RUN_WORKER = "no run worker is there: `wherry worker runs` starts one"


@dataclass(slots=True)
class Missing:
    """Who was missing at the last look of this API."""

    looked_at: float = 0.0
    #: Since when, in ms: `_RUN_WORKERS`, and families whose workers are gone or drained.
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
        fleet = await service.fleet()
        started = families_of(service.settings.scale_to_zero)  # when a job comes
        missing: list[str] = [
            family
            for family in service.catalog.families()
            if family not in started and not is_manned(family, fleet)
        ]
        if all(is_silent(said, now_ms, service.jobs) for said in found.values()):
            missing.append(_RUN_WORKERS)
        self.since = {each: self.since.get(each, now_ms) for each in missing}

    def _with_wait(self, service: Service, run: Run) -> Run:
        who, step, reason = self._missing(service, run)
        if not reason:
            return run
        since = max(self.since[who], float(run.spec.created_at_ms))
        wait = StepWait(step=step, reason=reason, since=since)
        progress = run.progress.model_copy(update={"waits": [wait]})
        return run.model_copy(update={"progress": progress})

    def _missing(self, service: Service, run: Run) -> tuple[str, str, str]:
        """Who is missing, the step that waits, and for what; "" for nobody."""
        at = run.progress
        if _RUN_WORKERS in self.since and not at.shards_running:
            merges = run.state is RunState.MERGING
            step = "merge" if merges else "shards" if run.plan else "plan"
            return _RUN_WORKERS, step, _NO_RUN_WORKER
        try:
            family = service.catalog.get(run.spec.model, run.spec.version or None).family
        except NotFound:
            return "", "", ""  # its jobs tell it
        if run.state is RunState.RUNNING and family in self.since:
            reason = (
                f"no worker takes jobs of {run.spec.model!r}: `wherry worker {family}` starts one, "
                "`wherry undrain` lets a drained one serve again"
            )
            return family, "shards", reason
        return "", "", ""


def _goes_on(run: Run) -> bool:
    """Whether it would, and nothing else is told that keeps it."""
    held = run.state in (RunState.HELD, RunState.PAUSED)
    return not (run.state.terminal or held or run.progress.waits)
