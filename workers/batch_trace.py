"""What a batch and its jobs leave in their traces.

A batch is a span of its own, linked to those under which its jobs were submitted; each job's span
belongs to its own trace, and is linked to the batch's. What was measured on the way becomes spans
when all is handed in: nobody waits for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from ..jobs.finish import Finished
from ..jobs.group import Group
from ..jobs.job_spans import PROCESS, attempt_attributes, attributes, destination
from ..jobs.record import Claim, ClaimedJob, Outcome
from ..jobs.recover import LostAttempt
from ..tasks.backends.device import Device, DeviceTurn
from ..telemetry import traces
from ..telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from ..telemetry.tracer import Attributes, Tracer

_NOTHING = nullcontext()

#: Parts of a batch that are events of each of its jobs, too.
_OF_JOBS = frozenset({"decode", "forward", "run", "finish"})


class Phase(NamedTuple):
    """A part of a batch's time, in ns since the epoch."""

    name: str
    start_ns: int
    end_ns: int
    number: int = 0


class BatchTrace:
    """One batch of which at least one job is recorded. Used by the thread that runs it."""

    def __init__(self, tracer: Tracer, worker: str, group: Group, claim: Claim) -> None:
        from ..telemetry.tracer import context_of

        self._tracer, self._worker = tracer, worker
        self._traced = [
            (job, trace)
            for job in claim.jobs
            if job.trace and (trace := TraceContext.read(job.trace)) and trace.sampled
        ]
        self._phases: list[Phase] = []
        self._ends: dict[str, str | Outcome] = {}
        #: What a monotonic clock has to be added to for the time since the epoch.
        self._zero_ns = time.time_ns() - time.perf_counter_ns()
        self._start_ns = self._now_ns()
        about: Attributes = {
            **attributes(group, "batch", PROCESS),
            "messaging.batch.message_count": len(claim.jobs),
            "messaging.client.id": worker,
            "wherry.batch.rows": sum(job.rows for job in claim.jobs),
        }
        links = [(trace, {"messaging.message.id": job.id}) for job, trace in self._traced]
        self.span = tracer.begin(
            f"batch {destination(group)}",
            "consumer",
            about,
            within=context_of(None),
            links=links,
            start_ns=self._start_ns,
        )

    @property
    def about(self) -> dict[str, list[str]]:
        """What lines of a log say of it, beside the batch's own ids: the traces of its jobs."""
        return {"job_traces": list(dict.fromkeys(trace.trace_id for _, trace in self._traced))}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a part."""
        start_ns = self._now_ns()
        try:
            yield
        finally:
            self._phases.append(Phase(name, start_ns, self._now_ns()))

    def ran(self, start_s: float, end_s: float, turns: Sequence[DeviceTurn]) -> None:
        """Note what a run was made of: to decode, then turns at the device, and to encode.

        Times are of `time.perf_counter`. A backend that computes in threads of its own has no turns
        here: what it did is one part.
        """
        if not turns:
            self._note("run", start_s, end_s)
            return
        self._note("decode", start_s, turns[0].came_s)
        for number, turn in enumerate(turns, start=1):
            self._note("device wait", turn.came_s, turn.began_s, number)
            self._note("forward", turn.began_s, turn.ended_s, number)
        self._note("encode", turns[-1].ended_s, end_s)

    def ended(self, outcomes: Sequence[Outcome], finished: Finished) -> None:
        """Note how the attempts ended, as finish took them."""
        for outcome in outcomes:
            if outcome.id in finished.canceled:
                self._ends[outcome.id] = "canceled"
            else:
                self._ends[outcome.id] = outcome if outcome.id in finished.accepted else "late"

    def close(self, error: BaseException | None = None) -> None:
        """End the spans, which are made now."""
        from ..telemetry.tracer import failed, trace_context

        if error is not None:
            failed(self.span, type(error).__qualname__)
        end_ns = self._now_ns()
        with self._tracer.current(self.span):
            for name, start_ns, phase_end_ns, number in self._phases:
                about: Attributes = {"wherry.forward.number": number} if number else {}
                self._tracer.begin(name, "internal", about, start_ns=start_ns).end(phase_end_ns)
        batch = trace_context(self.span)
        for job, trace in self._traced:
            self._end_job(job, trace, batch, end_ns)
        self.span.end(end_ns)

    def _end_job(
        self, job: ClaimedJob, trace: TraceContext, batch: TraceContext, end_ns: int
    ) -> None:
        from ..telemetry.tracer import context_of, failed

        span = self._tracer.begin(
            f"process {destination(job.group)}",
            "consumer",
            {
                **attempt_attributes(job.group, job.id, job.attempt, self._worker),
                "wherry.job.rows": job.rows,
                "wherry.job.queued_ms": max(0, self._start_ns // 1_000_000 - job.created_at_ms),
            },
            within=context_of(trace),
            links=[(batch, {})],
            start_ns=self._start_ns,
        )
        span.add_event("claim", None, self._start_ns)
        for phase in self._told_of_jobs():
            span.add_event(phase.name, None, phase.start_ns)
        end = self._ends.get(job.id, "queued")  # given back, for another
        if not isinstance(end, Outcome):
            span.set_attribute("wherry.job.state", end)
        else:
            span.set_attribute("wherry.job.state", end.status.value)
            if end.error_type:
                failed(span, end.error_type, end.error)
        if end == "late":
            failed(span, "late", "another attempt holds the lease")
        span.end(end_ns)

    def _told_of_jobs(self) -> Iterator[Phase]:
        """The parts that each job tells of, once each: the rest stands in the batch's trace."""
        seen = set[str]()
        for phase in self._phases:
            if phase.name in _OF_JOBS and phase.name not in seen:
                seen.add(phase.name)
                yield phase

    def _note(self, name: str, start_s: float, end_s: float, number: int = 0) -> None:
        start_ns, end_ns = (self._zero_ns + int(at_s * 1e9) for at_s in (start_s, end_s))
        self._phases.append(Phase(name, start_ns, max(start_ns, end_ns), number))

    def _now_ns(self) -> int:
        return self._zero_ns + time.perf_counter_ns()


def tracing(worker: str, group: Group, claim: Claim) -> AbstractContextManager[BatchTrace | None]:
    """Trace a batch, if one of its jobs is recorded: else there is nothing to trace it by."""
    if (tracer := traces.tracer()) is None:
        return _NOTHING
    batch = _batch_of(tracer, worker, group, claim)
    return _NOTHING if batch is None else _traced(tracer, batch)


@contextmanager
def _traced(tracer: Tracer, batch: BatchTrace) -> Iterator[BatchTrace]:
    try:
        with tracer.current(batch.span):
            yield batch
    except BaseException as error:
        batch.close(error)
        raise
    batch.close()


def _batch_of(tracer: Tracer, worker: str, group: Group, claim: Claim) -> BatchTrace | None:
    told = (TraceContext.read(job.trace) for job in claim.jobs if job.trace)
    is_recorded = any(trace.sampled for trace in told if trace)
    return BatchTrace(tracer, worker, group, claim) if is_recorded else None


def phase(batch: BatchTrace | None, name: str) -> AbstractContextManager[None]:
    """Measure a part of a batch, where it is traced."""
    return _NOTHING if batch is None else batch.phase(name)


def measured(batch: BatchTrace | None, device: Device) -> AbstractContextManager[None]:
    """Measure what runs within, part by part, where the batch is traced."""
    return _NOTHING if batch is None else _measured(batch, device)


@contextmanager
def _measured(batch: BatchTrace, device: Device) -> Iterator[None]:
    start_s = time.perf_counter()
    with device.noting() as turns:
        try:
            yield
        finally:
            batch.ran(start_s, time.perf_counter(), turns)


def tell_lost(worker: str, lost: Sequence[LostAttempt], now_ns: Callable[[], int]) -> None:
    """Tell of attempts whose worker died: it can tell of them no more."""
    tracer = traces.tracer()
    if tracer is None:
        return
    from ..telemetry.tracer import context_of, failed

    for attempt in lost:
        trace = TraceContext.read(attempt.trace)
        if trace is None or not trace.sampled:
            continue
        span = tracer.begin(
            f"process {destination(attempt.group)}",
            "consumer",
            attempt_attributes(attempt.group, attempt.id, attempt.attempt, worker),
            within=context_of(trace),
            start_ns=attempt.started_at_ms * 1_000_000,
        )
        span.set_attribute("wherry.job.state", "lost")
        failed(span, "worker_lost", "the worker died while it ran this job")
        span.end(now_ns())
