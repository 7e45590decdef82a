"""One worker process from warm-up to goodbye."""

from __future__ import annotations

import functools
import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence, Set
from typing import Any

from celery import Celery

from ..jobs.call import Queue
from ..jobs.claim import claim
from ..jobs.finish import Finished, finish, release
from ..jobs.group import Group
from ..jobs.orphans import Sweeper
from ..jobs.read import read
from ..jobs.record import BatchStats, Claim, ClaimedJob, Outcome
from ..jobs.recover import cancel, note_alone, reap, reissue
from ..jobs.settings import JobsSettings
from ..jobs.stores import open_store
from ..jobs.told import tell
from ..protocol.errors import BackendError, ModelFailed, Unavailable, WherryError
from ..tasks.backends.device import Device
from ..tasks.catalog import load_catalog
from .batch import Encoded, run_batch
from .belonging import Belonging
from .blobs import Answer, Blobs
from .budget import Budgets
from .consuming import Consuming, Listening, restart_consumer
from .device import kind as device_kind
from .events import JobEvents
from .failures import Failures, counted
from .identity import Identity
from .keeper import Keeper
from .lease import Lease
from .missed import Missed
from .models import LoadedModel, Models
from .quarantine import Quarantine
from .settings import WorkerSettings
from .sweeping import Sweeping
from .telling import Telling
from .timing import Ran, Timing

log = logging.getLogger(__name__)

#: Seconds after which a batch that waits for company looks whether it has filled.
_LOOK_AGAIN_S = 0.02

#: Seconds after which a ticket for models that this worker has not goes back for another worker.
_PASS_ON_S = 0.05

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
        families: Set[str],
        *,
        jobs: JobsSettings,
        settings: WorkerSettings,
        device: Device,
        threads: int,
        consumer: Callable[[], Any],  # celery's Consumer, once there is one; it ships no types
    ) -> None:
        self._jobs, self._settings = jobs, settings
        self._families = sorted(families)
        self._identity = Identity.mine(node)
        self._id = self._identity.id
        self._queue = Queue(jobs.redis_url)
        store = open_store(jobs)
        self._device = device
        declared = functools.partial(load_catalog, settings.models, families=families)
        budgets = Budgets(self._queue, jobs, device_kind(device.name))
        catalog = declared()
        self._models = Models(
            catalog,
            families,
            self._device,
            handler_dir=settings.handler_dir,
            budget=budgets.open,
            watched=functools.partial(counted, node, self._queue, jobs),
        )
        self._failures = Failures(
            self._models, self._queue, jobs, declared=declared, beat=lambda: self._lease.beat()
        )
        self._loading = True
        self._events = JobEvents(app, node) if settings.events == "jobs" else None
        self._draining = threading.Event()
        self._quarantine = Quarantine(
            lambda suspect: self._queue.run(note_alone(self._id, suspect, jobs))
        )
        self._belonging = Belonging(
            store,
            self._queue,
            jobs,
            [model for model in catalog.models if model.family in families],
            listen=Listening(consumer, families).set,
        )
        self._missed = Missed(self._id, self._queue, jobs, self._belonging)
        self._blobs = Blobs(
            store,
            self._queue,
            jobs,
            policy=settings.store_failure,
            wait_s=settings.store_wait_s,
            stopping=self._draining,
            rejoined=self._belonging.again,
        )
        self._sweeping = Sweeping(
            Sweeper(self._queue, store, jobs), jobs, may=lambda: not self._belonging.wrong_store
        )
        self._lease = Lease(
            self._id,
            self._queue,
            jobs,
            info=self._info,
            give_back=self._give_back,
            batch_timeout_s=settings.batch_timeout_s,
        )
        #: Whether tickets come. Whoever calls `serve` says so to it.
        self.consuming = Consuming(
            threads=threads,
            patience_s=settings.ticket_patience_s,
            families=lambda: families & set(app.amqp.queues.consume_from),
            probe=lambda groups: self._queue.run(reissue(groups, jobs, at_once=True)),
            restart=lambda: restart_consumer(consumer()),
        )
        self._keeper = Keeper(
            self._id,
            self._queue,
            jobs,
            self.consuming,
            seen=self._failures.look,
            rejoined=self._belonging.again,
        )

    def start(self) -> None:
        """Load and warm the models, see that the store is the fleet's, and tell the fleet of it.

        Raises ModelFailed with `strict_models`, when one cannot be loaded.
        """
        waited = self._lease.wait_while_loading()
        self._failures.start()
        self._lease.start()  # so that others know what is still to come
        self._models.load_all(strict=self._settings.strict_models)
        self._failures.tell()  # before anybody takes this worker for ready
        self._belonging.start()
        self._loading = False
        self._lease.beat()
        if self._events:
            self._events.start()
        self._keeper.start(after_loading=waited)
        self._sweeping.start()
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
        self._sweeping.stop()
        self._belonging.stop()
        self._keeper.stop()
        self._lease.stop()
        try:
            # Nothing is left here after a clean drain; after any other, others go on at once.
            self._queue.run(reap(self._id, self._jobs, gone=True))
        except WherryError as error:
            log.warning("left without a goodbye (%s); the lease will run out", error.message)
        if self._events:
            self._events.stop()
        self._blobs.close()
        self._models.close()
        self._queue.close()

    def cancel(self, job_id: str) -> str:
        """Cancel a job of any worker's, by its id in events. Answers the state it was in.

        Raises JobNotFound, Unavailable.
        """
        return self._queue.run(cancel(job_id, self._jobs))

    def serve(self, hint: Group) -> int:
        """Run the batch that is due, now that a ticket came. Answers how many jobs it had."""
        if self._draining.is_set():
            return 0  # the keepers replace the ticket
        if self._belonging.wrong_store:
            self._pass_on(hint)
            return 0
        claimed = self._claim(hint)
        if claimed.is_foreign:
            self._pass_on(hint)
        group, jobs = claimed.group, claimed.jobs
        if group is None or not jobs:
            return 0
        with self._lease.holding(group, (job.id for job in jobs)):
            if self._draining.is_set():
                charged_us = claimed.charged_us
                self._queue.run(release(group, self._id, jobs, self._jobs, charged_us=charged_us))
                return 0
            self._run(group, claimed)
        return len(jobs)

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
            claimed = self._queue.run(claim(hint, self._id, budgets, self._jobs, patient=patient))
            if claimed.jobs or not claimed.wait_ms or self._draining.is_set():
                return claimed
            # Another group may be due long before this one has filled.
            look_again_s = min(claimed.wait_ms / 1000, _LOOK_AGAIN_S)
            if patient:
                self._device.wait_for_turn(turn, look_again_s)
            else:
                self._draining.wait(look_again_s)

    def _run(self, group: Group, claimed: Claim) -> None:
        jobs: Sequence[ClaimedJob] = claimed.jobs
        try:
            model = self._models.get(group.model, group.version)
        except ModelFailed as error:
            self._refuse(group, claimed, error)
            return
        timing = Timing(self._device)
        if self._events:
            self._events.claimed(f"{model.task.name}.{model.declaration.name}", jobs)
        try:
            telling = Telling(lambda said: self._queue.run(tell(self._id, said, self._jobs)))
            jobs, payloads = self._missed.sort_out(group, jobs, self._blobs.payloads(jobs))
            if not jobs:
                return
            # What someone waits for goes first.
            with self._quarantine.around(jobs), self._device.ranked(int(group.is_bulk)):
                result = run_batch(model, jobs, payloads, telling, group.tenant)
            before_s = timing.total_s
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
            answers = [Answer(Encoded(job, error=fault)) for job in jobs]
            ran = Ran(rows=sum(job.rows for job in jobs))
        total_s = timing.total_s
        stats = timing.stats(group, ran, charged_us=claimed.charged_us)
        outcomes = [answer.outcome() for answer in answers if not answer.interrupted]
        finished = self._finish(outcomes, stats)
        self._blobs.settle(jobs, outcomes, finished.accepted)
        unfinished = [answer.encoded.job for answer in answers if answer.interrupted]
        if unfinished:  # the device did work for them, so what was charged stays
            self._queue.run(release(group, self._id, unfinished, self._jobs))
        if self._events:
            self._events.finished(outcomes, finished, total_s)

    def _refuse(self, group: Group, claimed: Claim, error: ModelFailed) -> None:
        """End the jobs of a model that no worker can load."""
        outcomes = [Encoded(job, error=error).outcome() for job in claimed.jobs]
        stats = BatchStats(group=group, charged_us=claimed.charged_us)
        self._blobs.settle(claimed.jobs, outcomes, self._finish(outcomes, stats).accepted)

    def _finish(self, outcomes: Sequence[Outcome], stats: BatchStats) -> Finished:
        """Hand the batch over; while Redis is away, hold it and try again."""
        deadline: float | None = None
        told = False
        while True:
            try:
                finished = self._queue.run(finish(self._id, outcomes, stats, self._jobs))
            except Unavailable as error:
                if self._draining.is_set():
                    deadline = deadline or time.monotonic() + self._settings.drain_timeout_s
                    if time.monotonic() > deadline:
                        raise
                if not told:
                    log.warning("finish waits: %s", error.message)
                told = True
                time.sleep(_RETRY_S)
                continue
            if late := len(outcomes) - len(finished.accepted):
                log.warning("%d late answers were dropped", late)
            return finished

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

    def _served(self) -> list[LoadedModel]:
        """The models that jobs are taken for."""
        if self._belonging.wrong_store:
            return []
        refused = self._belonging.refused
        return [model for model in self._models if model.group_model_id not in refused]

    def _state(self) -> str:
        if self._draining.is_set():
            return "draining"
        if self._loading:
            return "loading"
        return "waiting" if self._belonging.wrong_store else "ready"

    def _info(self) -> dict[str, object]:
        served = self._served()
        return {
            **self._identity.info(),
            "families": self._families,
            "device": self._device.name,
            "models": [model.declaration.name for model in served],
            "served": [model.group_model_id for model in served],
            "notes": self._models.notes(),
            **self._failures.info(),
            "state": self._state(),
            "reason": self._belonging.reason,
            "warnings": list(self._device.warnings),
            "seen_at_ms": int(time.time() * 1000),
        }
