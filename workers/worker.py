"""One worker process from warm-up to goodbye."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Collection, Sequence

from celery import Celery

from ..jobs.call import Queue
from ..jobs.claim import BatchBudget, claim
from ..jobs.finish import finish, release
from ..jobs.group import Group
from ..jobs.read import read
from ..jobs.record import BatchStats, ClaimedJob, Outcome
from ..jobs.recover import reap
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store, open_store
from ..jobs.told import tell
from ..protocol.errors import BackendError, Unavailable, WherryError
from ..tasks.backends.device import Device
from ..tasks.catalog import load_catalog
from .batch import Encoded, run_batch
from .events import JobEvents
from .identity import Identity
from .keeper import Keeper
from .lease import Lease
from .models import LoadedModel, Models
from .settings import WorkerSettings
from .telling import Telling

log = logging.getLogger(__name__)

#: Seconds after which a batch that waits for company looks whether it has filled.
_LOOK_AGAIN_S = 0.02

#: Age in ms up to which a job may wait for company while the device computes something else.
_PATIENCE_MS = 60_000

#: Seconds between two tries to hand a finished batch to a Redis that is away.
_RETRY_S = 0.5


class Worker:
    """Claims, runs and finishes batches. Threads of Celery's pool call `serve` side by side.

    While one thread computes, the next has claimed and decoded its batch already: the device's
    lock orders them, and that is all the prefetch there is.
    """

    def __init__(
        self,
        app: Celery,
        node: str,
        families: Collection[str],
        *,
        jobs: JobsSettings,
        settings: WorkerSettings,
        device: str,
    ) -> None:
        self._jobs, self._settings = jobs, settings
        self._families = sorted(families)
        self._identity = Identity.mine(node)
        self._id = self._identity.id
        self._queue = Queue(jobs.redis_url)
        self._store: Store = open_store(jobs)
        self._device = Device(device)
        catalog = load_catalog(settings.models, families=families)
        self._models = Models(catalog, families, self._device, handler_dir=settings.handler_dir)
        self._events = JobEvents(app, node) if settings.events == "jobs" else None
        self._draining = threading.Event()
        self._lease = Lease(
            self._id,
            self._queue,
            jobs,
            info=self._info,
            give_back=self._give_back,
            batch_timeout_s=settings.batch_timeout_s,
        )
        self._keeper = Keeper(self._id, self._queue, jobs)

    def start(self) -> None:
        """Load and warm the models, then show up in the fleet."""
        self._models.load_all()
        if self._events:
            self._events.start()
        self._lease.start()
        self._keeper.start()
        # Models are here to stay: without this, each look for garbage would walk all of them.
        gc.collect()
        gc.freeze()
        names = ", ".join(model.declaration.name for model in self._models) or "no models"
        log.info("worker %s is ready on %s with %s", self._id, self._device.name, names)

    def drain(self) -> None:
        """Begin no more batches: finish what runs, give the rest back."""
        self._draining.set()

    def stop(self) -> None:
        """Say goodbye, in the order that keeps every promise."""
        self.drain()
        self._keeper.stop()
        self._lease.stop()
        try:
            # Nothing is left here after a clean drain; after any other, others go on at once.
            self._queue.run(reap(self._id, self._jobs, gone=True))
        except WherryError as error:
            log.warning("left without a goodbye (%s); the lease will run out", error.message)
        if self._events:
            self._events.stop()
        self._models.close()
        self._queue.close()

    def serve(self, group: Group) -> int:
        """Run one batch of a group, as its ticket asks. Answers how many jobs it had."""
        if self._draining.is_set():
            return 0  # the keepers replace the ticket
        try:
            model = self._models.get(group.model, group.version)
        except WherryError as error:
            log.warning("ticket for %s: %s", group.id, error.message)
            return 0
        jobs = self._claim(group, model)
        if not jobs:
            return 0
        with self._lease.holding(group, (job.id for job in jobs)):
            if self._draining.is_set():
                self._queue.run(release(group, self._id, jobs, self._jobs))
                return 0
            self._run(group, model, jobs)
        return len(jobs)

    def _claim(self, group: Group, model: LoadedModel) -> Sequence[ClaimedJob]:
        """The next batch: at once when the device is idle or the batch full.

        While the device computes, a part-filled batch waits for company, which costs nothing; but
        for one forward at most, so that no group waits for ever beside a busy one.
        """
        turn = self._device.turn
        while True:
            patient = self._device.busy and self._device.turn == turn
            budget = self._budget(model, patient=patient)
            claimed = self._queue.run(claim(group, self._id, budget, self._jobs))
            if claimed.jobs or not claimed.wait_ms or self._draining.is_set():
                return claimed.jobs
            if patient:
                self._device.wait_for_turn(turn, _LOOK_AGAIN_S)
            else:
                self._draining.wait(claimed.wait_ms / 1000)

    def _budget(self, model: LoadedModel, *, patient: bool) -> BatchBudget:
        declared = model.declaration
        largest = max(declared.preferred_batch_size, default=model.max_rows)
        return BatchBudget(
            max_rows=model.max_rows,
            max_bytes=self._settings.max_batch_bytes,
            preferred_rows=model.max_rows if patient else min(largest, model.max_rows),
            max_delay_ms=_PATIENCE_MS if patient else declared.max_queue_delay_microseconds // 1000,
        )

    def _run(self, group: Group, model: LoadedModel, jobs: Sequence[ClaimedJob]) -> None:
        started, started_ms = time.monotonic(), time.time() * 1000
        busy_s = self._device.busy_s
        if self._events:
            self._events.claimed(f"{model.task.name}.{model.declaration.name}", jobs)
        try:
            telling = Telling(lambda said: self._queue.run(tell(self._id, said, self._jobs)))
            result = run_batch(model, jobs, self._payloads(jobs), telling)
            outcomes = [self._store_answer(answer) for answer in result.answers]
            rows, executions = result.rows, result.executions
            if result.fitted is not None:
                model.shrink(result.fitted)
        except Exception as error:
            # A fault of ours, not of a row: each job must still end.
            log.exception("the batch of %s broke", group.id)
            fault = BackendError(f"the worker raised {type(error).__name__}")
            outcomes = [Encoded(job, error=fault).outcome() for job in jobs]
            rows, executions = sum(job.rows for job in jobs), 0
        total_s = time.monotonic() - started
        stats = BatchStats(
            group=group,
            rows=rows,
            max_rows=executions * model.max_rows,
            executions=executions,
            queue_us=int(sum(max(0.0, started_ms - job.created_at_ms) for job in jobs) * 1000),
            compute_us=int(min(self._device.busy_s - busy_s, total_s) * 1e6),
            total_us=int(total_s * 1e6),
        )
        self._finish(outcomes, stats)
        for job in jobs:
            if job.payload_ref:
                self._forget(job.payload_ref)
        if self._events:
            self._events.finished(outcomes, total_s)

    def _payloads(self, jobs: Sequence[ClaimedJob]) -> list[bytes | WherryError]:
        inline = self._queue.values([job.payload_key for job in jobs])
        return [
            self._blob(job.payload_ref) if job.payload_ref else _present(value)
            for job, value in zip(jobs, inline, strict=True)
        ]

    def _blob(self, ref: str) -> bytes | WherryError:
        try:
            return self._store.get(ref)
        except WherryError as error:
            return error

    def _store_answer(self, answer: Encoded) -> Outcome:
        if len(answer.body) <= self._jobs.inline_max_bytes:
            return answer.outcome()
        try:
            # The attempt is part of the key: a late attempt must not overwrite the accepted one.
            key = f"result/{answer.job.id}/{answer.job.attempt}/{self._id}"
            return answer.outcome(self._store.put(key, answer.body))
        except WherryError as error:
            return Encoded(answer.job, error=error).outcome()

    def _finish(self, outcomes: Sequence[Outcome], stats: BatchStats) -> None:
        """Hand the batch over; while Redis is away, hold it and try again."""
        deadline: float | None = None
        while True:
            try:
                accepted = self._queue.run(finish(self._id, outcomes, stats, self._jobs))
            except Unavailable as error:
                if self._draining.is_set():
                    deadline = deadline or time.monotonic() + self._settings.drain_timeout_s
                    if time.monotonic() > deadline:
                        raise
                log.warning("finish waits: %s", error.message)
                time.sleep(_RETRY_S)
                continue
            if len(accepted) < len(outcomes):
                log.warning("%d late answers were dropped", len(outcomes) - len(accepted))
            for outcome in outcomes:
                if outcome.result_ref and outcome.id not in accepted:
                    self._forget(outcome.result_ref)
            return

    def _forget(self, ref: str) -> None:
        try:
            self._store.delete(ref)
        except WherryError as error:
            log.warning("blob %s stays behind: %s", ref, error.message)

    def _give_back(self, job_ids: list[str]) -> None:
        for record in self._queue.run(read(job_ids, self._jobs)):
            if record is None:
                continue
            job = ClaimedJob(
                id=record.id,
                attempt=record.attempt,
                rows=record.rows,
                header_length=0,
                payload_key="",
                payload_ref="",
                created_at_ms=record.created_at_ms,
            )
            self._queue.run(release(record.group, self._id, [job], self._jobs))

    def _info(self) -> dict[str, object]:
        return {
            **self._identity.info(),
            "families": self._families,
            "device": self._device.name,
            "models": [model.declaration.name for model in self._models],
            "state": "draining" if self._draining.is_set() else "ready",
            "seen_at_ms": int(time.time() * 1000),
        }


def _present(value: bytes | None) -> bytes | WherryError:
    return BackendError("the payload is gone") if value is None else value
