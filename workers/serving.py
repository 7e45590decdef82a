"""From a ticket to a finished batch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from ..jobs.call import Queue
from ..jobs.claim import claim
from ..jobs.finish import Finished, finish, release
from ..jobs.fleet import FleetView
from ..jobs.group import Group
from ..jobs.outage import Outage
from ..jobs.record import BatchStats, Claim, ClaimedJob, Outcome, by_group
from ..jobs.recover import note_alone, reissue
from ..jobs.settings import JobsSettings
from ..jobs.spent import add_spent
from ..jobs.token_stream import send_chunks
from ..protocol.errors import BackendError, ModelFailed, Unavailable
from ..tasks.backends.decoding_pool import DecodingPool
from ..tasks.backends.device import Device
from ..telemetry import logs, traces
from ..telemetry.worker_metrics import ticket_came
from .batch import Encoded, run_batch
from .batch_metrics import count_claim
from .batch_trace import BatchTrace, measured, phase, tracing
from .belonging import Belonging
from .blobs import Blobs, JobAnswer
from .events import JobEvents
from .lanes import Lanes
from .lease import Lease
from .loaded_model import LoadedModel
from .missed import Missed
from .models import Models
from .quarantine import Quarantine
from .settings import WorkerSettings
from .timing import Ran, Timing
from .token_sender import TokenSender

log = logging.getLogger(__name__)

#: Seconds after which a batch that waits for company looks whether it has filled.
_LOOK_AGAIN_S = 0.02

#: Seconds after which a ticket for models that this worker has not goes back for another worker.
_PASS_ON_S = 0.05

#: Seconds between two tries to hand a finished batch to a Redis that is away.
_RETRY_S = 0.5


class Serving:
    """Claims, runs and finishes batches. Threads of Celery's pool call `serve` side by side.

    While one thread computes, the next has claimed and decoded its batch already: the device's
    lock orders them, and that is all the prefetch there is.
    """

    def __init__(
        self,
        worker: str,
        queue: Queue,
        jobs: JobsSettings,
        settings: WorkerSettings,
        *,
        device: Device,
        decoding: DecodingPool,
        models: Models,
        belonging: Belonging,
        blobs: Blobs,
        lease: Lease,
        events: JobEvents | None,
        draining: threading.Event,
        closed: Callable[[], bool],
        wanted: Callable[[str], None],
        ran: Callable[[BatchStats], None],
    ) -> None:
        #: Hears of each model that a job waits for; and of each batch that has run.
        self._wanted, self._ran = wanted, ran
        #: Says whether jobs are to be left to others for now.
        self._closed = closed
        self._id, self._queue, self._jobs, self._settings = worker, queue, jobs, settings
        self._device, self._models, self._lease = device, models, lease
        self._decoding = decoding
        self._belonging, self._blobs = belonging, blobs
        self._missed = Missed(worker, queue, jobs, belonging)
        self._quarantine = Quarantine(lambda suspect: queue.run(note_alone(worker, suspect, jobs)))
        self._events, self._draining = events, draining
        self._lanes = Lanes(
            models,
            reissue=lambda hints: queue.run(reissue(hints, jobs, at_once=True)),
            spent=lambda model_id, day, amount: queue.run(add_spent(model_id, day, amount, jobs)),
        )

    def serve(self, hint: Group) -> int:
        """Run the batch that is due, now that a ticket came. Answers how many jobs it had."""
        if self._draining.is_set():
            return 0  # the keepers replace the ticket
        if self._closed():
            ticket_came("passed_on")
            self._pass_on(hint)
            return 0
        self._wanted(hint.model_id)
        claimed = self._claim(hint)
        if claimed.is_foreign:
            parked = self._lanes.parks(hint)
            ticket_came("parked" if parked else "passed_on")
            if not parked:
                self._pass_on(hint)
        group, jobs = claimed.group, claimed.jobs
        if group is None or not jobs:
            if not claimed.is_foreign:
                ticket_came("empty")
            return 0
        count_claim(claimed)
        if (model := self._models.remote(group.model_id)) is not None:
            rows = sum(job.rows for job in jobs)
            self._lanes.begin(model, rows, lambda: self._hold_and_run(group, claimed))
            return len(jobs)
        return self._hold_and_run(group, claimed)

    def _hold_and_run(self, group: Group, claimed: Claim) -> int:
        """Run what was claimed, or give it back at once. Answers how many jobs were run."""
        is_remote = self._models.remote(group.model_id) is not None
        ids = [job.id for job in claimed.jobs]
        with (
            self._lease.holding(group, ids, may_hang=not is_remote),
            tracing(self._id, group, claimed) as trace,
            logs.about(model=group.model_id, jobs=ids, **(trace.about if trace else {})),
        ):
            if self._draining.is_set():
                for share in claimed.shares:
                    self._give_back(share.group, share.jobs, charged_us=share.charged_us)
                return 0
            self._run(group, claimed, trace)
        return len(ids)

    def look(self, fleet: FleetView) -> None:
        """Ask for the tickets again that came while a remote model had no room, and settle what
        such models have spent. Call it often.
        """
        self._lanes.meter(fleet)
        self._lanes.look()

    def end_lanes(self) -> None:
        """Let the batches of remote models end, once no more begin: those under way in the time
        that finished work has at a shutdown, what waits at once.
        """
        self._lanes.end(self._settings.drain_timeout_s)

    def _give_back(self, group: Group, jobs: Sequence[ClaimedJob], *, charged_us: int = 0) -> None:
        self._queue.run(release(group, self._id, jobs, self._jobs, charged_us=charged_us))

    def _pass_on(self, hint: Group) -> None:
        """Give a ticket back for another worker."""
        self._draining.wait(_PASS_ON_S)  # or the two of us would play ping-pong
        self._queue.run(reissue([hint], self._jobs, at_once=True))

    def _claim(self, hint: Group) -> Claim:
        """The next batch: at once when the device is idle or a batch full.

        While the device computes, a part-filled batch waits for company, which costs nothing; but
        for one forward at most, so that no group waits for ever beside a busy one.
        """
        turn = self._device.turn
        while True:
            patient = self._device.busy and self._device.turn == turn
            budgets = self._models.batch_budgets(self._settings.max_batch_bytes)
            if refused := self._belonging.refused:
                budgets = {name: each for name, each in budgets.items() if name not in refused}
            call = claim(
                hint,
                self._id,
                budgets,
                self._jobs,
                patient=patient,
                tenants_apart=not self._settings.tenants_share_batches,
                traced=traces.tracer() is not None,
            )
            claimed = self._queue.run(call)
            if claimed.jobs or not claimed.wait_ms:
                return claimed
            if self._draining.is_set() or self._closed():
                return claimed
            # Another group may be due long before this one has filled.
            look_again_s = min(claimed.wait_ms / 1000, _LOOK_AGAIN_S)
            if patient:
                self._device.wait_for_turn(turn, look_again_s)
            else:
                self._draining.wait(look_again_s)

    def _run(self, group: Group, claimed: Claim, trace: BatchTrace | None) -> None:
        try:
            model = self._models.borrow(group.model, group.version)
        except ModelFailed as error:
            self._refuse(group, claimed, error, trace)
            return
        try:
            self._run_on(model, group, claimed, trace)
        finally:
            self._models.give_back(model)

    def _run_on(
        self, model: LoadedModel, group: Group, claimed: Claim, trace: BatchTrace | None
    ) -> None:
        jobs: Sequence[ClaimedJob] = claimed.jobs
        timing = Timing(self._device)
        if self._events:
            self._events.claimed(f"{model.task.name}.{model.declaration.name}", jobs)
        try:
            sender = TokenSender(
                lambda chunks: self._queue.run(send_chunks(self._id, chunks, self._jobs))
            )
            with phase(trace, "fetch"):
                jobs, payloads = self._missed.sort_out(jobs, self._blobs.payloads(jobs))
            if not jobs:
                return
            # What someone waits for goes first.
            rank = int(all(job.group.is_bulk for job in jobs))
            with (
                nullcontext() if model.backend.is_remote else self._quarantine.around(jobs),
                self._decoding.ranked(rank),
                self._device.ranked(rank),
                measured(trace, self._device),
            ):
                result = run_batch(model, jobs, payloads, sender)
            before_s = timing.total_s
            with phase(trace, "store"):
                answers = self._blobs.keep(result.answers, self._id)
            ran = Ran(
                rows=result.rows,
                sizes=result.sizes,
                max_rows=model.max_rows,
                writing_s=result.writing_s + timing.total_s - before_s,
            )
        except Exception as error:
            # A fault of ours, not of a row: each job must still end.
            log.exception("the batch of %s broke", group.id)
            fault = BackendError(f"the worker raised {type(error).__name__}")
            answers = [JobAnswer(Encoded(job, error=fault)) for job in jobs]
            ran = Ran(rows=sum(job.rows for job in jobs))
        total_s = timing.total_s
        stats = timing.stats(group, ran, claimed.charges)
        self._ran(stats)
        outcomes = [answer.outcome() for answer in answers if not answer.interrupted]
        finished = self._finish(outcomes, stats, trace)
        self._blobs.settle(jobs, outcomes, finished.accepted)
        self._give_back_unfinished(answers)
        if self._events:
            self._events.finished(outcomes, finished, total_s)

    def _give_back_unfinished(self, answers: Sequence[JobAnswer]) -> None:
        unfinished = by_group(answer.encoded.job for answer in answers if answer.interrupted)
        for group, jobs in unfinished.items():  # the device did work for them: the charge stays
            self._give_back(group, jobs)

    def _refuse(
        self, group: Group, claimed: Claim, error: ModelFailed, trace: BatchTrace | None
    ) -> None:
        """End the jobs of a model that no worker can load."""
        outcomes = [Encoded(job, error=error).outcome() for job in claimed.jobs]
        stats = BatchStats(group=group, charges=claimed.charges)
        finished = self._finish(outcomes, stats, trace)
        self._blobs.settle(claimed.jobs, outcomes, finished.accepted)

    def _finish(
        self, outcomes: Sequence[Outcome], stats: BatchStats, trace: BatchTrace | None
    ) -> Finished:
        """Hand the batch over, and note how it ended."""
        with phase(trace, "finish"):
            finished = self._hand_over(outcomes, stats)
        if trace is not None:
            trace.ended(outcomes, finished)
        return finished

    def _hand_over(self, outcomes: Sequence[Outcome], stats: BatchStats) -> Finished:
        """Hand a batch over; while Redis is away, hold it and try again."""
        deadline: float | None = None
        outage = Outage(log, "finish waits")
        while True:
            try:
                finished = self._queue.run(finish(self._id, outcomes, stats, self._jobs))
            except Unavailable as error:
                if self._draining.is_set():
                    deadline = deadline or time.monotonic() + self._settings.drain_timeout_s
                    if time.monotonic() > deadline:
                        raise
                outage.failed(error.message)
                time.sleep(_RETRY_S)
                continue
            if late := len(outcomes) - len(finished.accepted):
                log.warning("%d late answers were dropped", late)
            return finished
