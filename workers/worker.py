"""One worker process from warm-up to goodbye."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Set
from contextlib import suppress
from typing import Any

from celery import Celery

from ..jobs.call import Queue
from ..jobs.failed import ALL, ask_load
from ..jobs.fleet import FleetView
from ..jobs.fleet_queue import open_blocking
from ..jobs.group import Group
from ..jobs.heeding import SAID
from ..jobs.measured_store import MeasuredStore
from ..jobs.orphans import Sweeper
from ..jobs.processes import about, digests
from ..jobs.record import BatchStats
from ..jobs.recover import reap, reissue
from ..jobs.settings import JobsSettings
from ..jobs.stores import open_store
from ..protocol.errors import WherryError
from ..tasks.backends.cores import usable_cores
from ..tasks.backends.decoding_pool import DecodingPool
from ..tasks.backends.device import Device
from ..tasks.models_file import load_catalog
from ..telemetry.metrics_settings import MetricsSettings
from .batch_metrics import count_batch, page_of
from .belonging import Belonging
from .blobs import Blobs
from .budget import Budgets
from .canceling import cancel_anywhere
from .changes import Changes
from .cordon import Cordon
from .deaf_consumer import Consuming, Listening, restart_consumer
from .device import kind as device_kind
from .events import JobEvents
from .failures import Failures, counted
from .health_file import HealthFile
from .historian import Historian
from .identity import Identity
from .keeper import Keeper
from .lease import Lease
from .memory import Memory
from .metrics_page import OwnPage
from .models import Models
from .pod_cost import open_pod_cost
from .serving import Serving
from .settings import WorkerSettings
from .strays import give_back
from .sweeper import Sweeping
from .timing import RecentLoad
from .tuning import open_tuner

log = logging.getLogger(__name__)


class Worker:
    """What one process is made of, and the order in which it begins and ends."""

    def __init__(
        self,
        app: Celery,
        node: str,
        families: Set[str],
        *,
        jobs: JobsSettings,
        fleet: JobsSettings | None = None,  # of all Redis servers, where there are more than one
        settings: WorkerSettings,
        metrics: MetricsSettings,
        device: Device,
        threads: int,
        consumer: Callable[[], Any],  # celery's Consumer, once there is one; it ships no types
    ) -> None:
        self._jobs, self._settings = jobs, settings
        self._families = sorted(families)
        self._identity = Identity.mine(node)
        self._id = self._identity.id
        self._queue = Queue(jobs.redis_url)
        self._fleet = fleet if fleet is not None and fleet.own_redis else jobs
        self._whole = self._queue if self._fleet is jobs else open_blocking(self._fleet)
        store = MeasuredStore(open_store(jobs))
        self._device = device
        declared = functools.partial(load_catalog, settings.models, families=families)
        budgets = Budgets(self._queue, jobs, device_kind(device.name))
        catalog = declared()
        memory = Memory(settings.max_model_bytes)
        self._tuner = open_tuner(settings, device)
        self._models = Models(
            catalog,
            families,
            self._device,
            handler_dir=settings.handler_dir,
            budget=budgets.open,
            watched=functools.partial(counted, node, self._queue, jobs),
            memory=memory,
            tuner=self._tuner,
        )
        self._failures = Failures(self._models, self._queue, jobs, beat=lambda: self._lease.beat())
        self._changes = Changes(
            self._models,
            self._queue,
            jobs,
            declared=declared,
            announce=self._failures.announce,
            memory=memory,
        )
        self._historian = Historian(self._queue, jobs)
        self._load = RecentLoad(device)
        self._page = OwnPage(jobs, metrics)
        self._loading = True
        self._events = JobEvents(app, node) if settings.events == "jobs" else None
        self._draining = threading.Event()
        self._belonging = Belonging(
            store,
            self._queue,
            jobs,
            self._models.declared,
            listen=lambda _: self._listen(),
        )
        self._listening = Listening(consumer, families)
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
            Sweeper(self._whole, store, self._fleet),
            jobs,
            may=lambda: not self._belonging.outside,
        )
        self._lease = Lease(
            self._id,
            self._queue,
            jobs,
            info=self._info,
            give_back=functools.partial(give_back, self._id, self._queue, jobs),
            batch_timeout_s=settings.batch_timeout_s,
        )
        self._cordon = Cordon(
            self._identity,
            self._queue,
            jobs,
            idle=lambda: not self._lease.held,
            changed=lambda: self._lease.beat(),
        )
        self._decoding = DecodingPool(
            settings.decode_threads or usable_cores(), max_bytes=settings.max_decode_bytes
        )
        self._serving = Serving(
            self._id,
            self._queue,
            jobs,
            settings,
            device=device,
            decoding=self._decoding,
            models=self._models,
            belonging=self._belonging,
            blobs=self._blobs,
            lease=self._lease,
            events=self._events,
            draining=self._draining,
            closed=self._closed,
            wanted=self._changes.want,
            ran=self._ran,
        )
        self._consuming = Consuming(
            threads=threads,
            patience_s=settings.ticket_patience_s,
            families=lambda: families & set(app.amqp.queues.consume_from),
            probe=lambda groups: self._queue.run(reissue(groups, jobs, at_once=True)),
            restart=lambda: restart_consumer(consumer()),
        )
        self._pod_cost = open_pod_cost(settings, lambda: self._lease.held, self._load.busy_share)
        self._keeper = Keeper(
            self._id,
            self._queue,
            jobs,
            self._consuming,
            seen=self._seen,
            rejoined=self._belonging.again,
        )

        self._health = HealthFile(
            settings.health_file,
            lease_s=jobs.lease_ttl_s,
            info=self._info,
            consuming=self._consuming,
            away=lambda: self._keeper.away,
        )

    def start(self) -> None:
        """Load and warm the models, see that the store is the fleet's, and tell the fleet of it.

        Raises ModelFailed with `strict_models`, when one cannot be loaded.
        """
        self._health.start()
        waited = self._lease.wait_while_loading()
        self._page.start(page_of(self._device, self._models))  # before it is told where
        self._changes.start()
        self._lease.start()  # so that others know what is still to come
        self._models.load_all(strict=self._settings.strict_models, told=self._tell)
        self._changes.tell_facts()
        self._failures.announce()  # before anybody takes this worker for ready
        self._cordon.look()
        self._belonging.start()
        self._loading = False
        self._lease.beat()
        if self._events:
            self._events.start()
        self._keeper.start(after_loading=waited)
        self._sweeping.start()
        if self._pod_cost:
            self._pod_cost.start()
        names = ", ".join(model.declaration.name for model in self._models) or "no models"
        log.info("worker %s is ready on %s with %s", self._id, self._device.name, names)

    def drain(self) -> None:
        """Begin no more batches: finish what runs, give the rest back."""
        self._draining.set()

    def stop(self) -> None:
        """Say goodbye, in the order that keeps every promise."""
        self.drain()
        self._serving.end_lanes()
        self._tuner.leave()
        self._sweeping.stop()
        if self._pod_cost:
            self._pod_cost.stop()
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
        self._decoding.close()
        self._page.stop()
        self._models.close()
        self._queue.close()
        self._health.stop()
        if self._whole is not self._queue:
            self._whole.close()

    def serve(self, hint: Group) -> int:
        """Run the batch that is due, now that a ticket came. Answers how many jobs it had."""
        with self._consuming.serving():
            return self._serving.serve(hint)

    def cancel(self, job_id: str) -> str:
        """Cancel a job of any worker's, by its id in events. Answers the state it was in.

        Raises JobNotFound, Unavailable.
        """
        return cancel_anywhere(job_id, self._queue, self._whole, self._jobs)

    def reload(self) -> None:
        """Have the whole fleet read models.toml again."""
        self._whole.run(ask_load(ALL, self._fleet))

    def _tell(self) -> None:
        """Tell of this worker now; where that cannot be, the lease does in a while."""
        with suppress(WherryError):
            self._lease.beat()

    def _ran(self, stats: BatchStats) -> None:
        self._load.ran(stats)
        count_batch(stats)

    def _seen(self, fleet: FleetView) -> None:
        self._health.looked(beats=any(w.alive for w in fleet.workers if w.id == self._id))
        self._cordon.look()
        self._listen()
        self._failures.look(fleet)
        self._changes.look(fleet)
        self._serving.look(fleet)
        self._historian.look(fleet)

    def _closed(self) -> bool:
        """Whether jobs are left to others for now."""
        return bool(self._belonging.outside) or self._cordon.on

    def _listen(self) -> None:
        self._listening.set(not self._closed())

    def _served(self) -> list[str]:
        """Ids of the models that jobs are taken for."""
        if self._closed():
            return []
        ours = {model.group_model_id for model in self._models} | self._models.asleep
        ours -= self._belonging.refused.keys() | self._models.away.keys()
        return [i for i in self._models.known if i in ours]

    def _state(self) -> str:
        if self._draining.is_set() or self._cordon.on:
            return "draining"
        if self._loading:
            return "loading"
        return "waiting" if self._belonging.outside else "ready"

    def _info(self) -> dict[str, object]:
        served = self._served()
        return {
            **about(self._jobs),
            **self._identity.info(),
            "declared": digests(self._models.declared()),
            "families": self._families,
            "device": self._device.name,
            "models": list(dict.fromkeys(model_id.rpartition("/")[0] for model_id in served)),
            "served": served,
            "mixes": True,
            SAID: self._models.parameters(served),
            **self._load.measure(),
            "away": self._models.away,
            "notes": self._models.notes(),
            **self._failures.info(),
            **self._changes.info(),
            **self._page.info(),
            "state": self._state(),
            "reason": self._cordon.reason or self._belonging.reason or self._tuner.doing,
            "warnings": [*self._device.warnings, *self._belonging.warnings],
        }
