"""One run worker process: it takes steps of runs and does them, one at a time."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..client.annotate.ledger_file import LedgerHeld
from ..jobs.fleet_queue import open_blocking
from ..jobs.follow_records import RunFollow
from ..jobs.group import Group
from ..jobs.measured_store import MeasuredStore
from ..jobs.outage import Outage
from ..jobs.processes import LEASES, about, is_silent
from ..jobs.proof import shown
from ..jobs.run_follow import begin_following
from ..jobs.run_records import RunError, RunExport, RunState, Step
from ..jobs.run_stealing import yield_step
from ..jobs.run_steps import (
    end_run,
    finish_export,
    finish_plan,
    look,
    release_step,
    removed,
    removing,
    take_step,
)
from ..jobs.run_workers import beat, is_older, lose_worker, run_workers
from ..jobs.runs import FAMILY, get_run
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store, open_store
from ..protocol.errors import Unauthorized, Unavailable, WherryError
from ..telemetry import logs
from ..telemetry.metrics_page import MetricsPage
from ..telemetry.metrics_settings import MetricsSettings
from ..workers.belonging import why_apart
from ..workers.cordon import Cordon
from ..workers.deaf_consumer import Consuming, Listening, restart_consumer
from ..workers.health import READY
from ..workers.health_file import HealthFile
from ..workers.identity import Identity, is_gone
from ..workers.metrics_page import OwnPage
from ..workers.threads import Every
from .earlier import EarlierRuns, with_earlier
from .feeds import FEEDS, Feeds
from .fleet import RunClient
from .follow import SourceLook, watched_of
from .hold import StepCanceled, StepEnded, StepHold, StepLost, StepYielded
from .merge import Merge
from .plan import plan_run
from .quality import brief
from .settings import RunSettings
from .shard import ShardRun
from .sources import check_out, places_of, run_place
from .stealing import steal
from .step_span import tracing
from .work_folder import WorkFolder

log = logging.getLogger(__name__)

#: Seconds between two looks at the runs, and at what is to be removed.
_LOOK_S, _REMOVE_S = 1.0, 2.0

#: Seconds between two looks whether the APIs' queue format is ours.
_COMPARE_S = 5.0

#: Seconds that a step waits which something outside keeps from going on.
_PAUSE_S = 2.0

#: Seconds without a ticket, while steps wait and this process is free, after which Celery's
#: consumer is restarted.
_PATIENCE_S = 10.0

#: What stands for the steps that wait, for whoever judges whether tickets come.
_WAITING = Group(FAMILY, "-", "-")


class RunWorker:
    """What one process is made of, and the order in which it begins and ends."""

    def __init__(
        self,
        node: str,
        *,
        jobs: JobsSettings,
        settings: RunSettings,
        metrics: MetricsSettings,
        threads: int,
        consumer: Callable[[], Any],  # celery's Consumer, once there is one; it ships no types
    ) -> None:
        self._jobs, self._settings = jobs, settings
        self._identity = Identity.mine(node)
        self._id = self._identity.id
        self._queue = open_blocking(jobs)
        self._store: Store = MeasuredStore(open_store(jobs))
        self._earlier = EarlierRuns(self._queue, self._store, jobs)
        self._draining = threading.Event()
        self._outage = Outage(log, "the runs cannot be looked at")
        self._removal = Outage(log, "forgotten runs are not removed")
        self._consuming = Consuming(
            threads=threads,
            patience_s=_PATIENCE_S,
            families=lambda: (FAMILY,),
            probe=lambda _: self._queue.run(look(jobs)),
            restart=lambda: restart_consumer(consumer()),
        )
        self._listening = Listening(consumer, (FAMILY,))
        self._cordon = Cordon(
            self._identity, self._queue, jobs, idle=lambda: not self._at_work, changed=self._beat
        )
        self._feeds = Feeds(self._exchange)
        #: Threads that do a step.
        self._at_work: set[int] = set()
        #: Why it cannot read what the APIs write into the queue, and when it looked.
        self._apart, self._compared_at = "", float("-inf")
        #: Why steps are left to run workers of an earlier version: they read none of ours.
        self._behind = ""
        self._keeper = Every("wherry-run-keeper", _LOOK_S, self._look)
        self._remover = Every("wherry-run-remover", _REMOVE_S, self._remove)
        self._health = HealthFile(
            settings.health_file,
            lease_s=jobs.lease_ttl_s,
            info=self._state,
            consuming=self._consuming,
            away=lambda: self._outage.lasts,
        )
        self._page = OwnPage(jobs, metrics)
        self._folder: WorkFolder | None = None

    def start(self) -> None:
        """Begin to look after the runs."""
        self._folder = WorkFolder(self._settings.run_dir)
        self._health.start()
        self._page.start(MetricsPage("runs", __version__))
        with self._outage.noted():
            self._cordon.look()
            self._compare()
            known = self._queue.run(run_workers(self._jobs))
            self._look_for_older(known)
        self._keeper.start()
        self._remover.start()
        log.info("run worker %s is ready", self._id)

    def drain(self) -> None:
        """Take no more steps, and give back what is under way as far as it has come."""
        self._draining.set()

    def stop(self) -> None:
        """Say goodbye."""
        self.drain()
        self._keeper.stop()
        self._remover.stop()
        try:
            self._queue.run(lose_worker(self._id, self._jobs))
        except WherryError as error:
            log.warning("left without a goodbye (%s); the leases will run out", error.message)
        if self._folder:
            self._folder.close()
        self._page.stop()
        self._queue.close()
        self._health.stop()

    def serve(self) -> None:
        """Do steps until there is none, now that a ticket came."""
        with self._consuming.serving():
            while not (self._draining.is_set() or self._closed):
                self._at_work.add(threading.get_ident())
                try:
                    step = self._queue.run(take_step(self._id, self._jobs.lease_ttl_s, self._jobs))
                    if step is None:
                        return
                    self._do(step)
                finally:
                    self._at_work.discard(threading.get_ident())

    @property
    def _closed(self) -> bool:
        """Whether steps are left to others for now."""
        return bool(self._apart or self._behind) or self._cordon.on

    def _compare(self) -> None:
        """Hold the queue's format as we know it against those of the APIs that take jobs."""
        if time.monotonic() - self._compared_at < _COMPARE_S:
            return
        self._compared_at = time.monotonic()
        apart = why_apart(self._queue.run(shown(self._jobs)))
        if apart and apart != self._apart:
            log.error("this run worker takes no steps: %s", apart)
        self._apart = apart

    def _look_for_older(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Leave all steps to run workers that could not read those of ours, while one lives."""
        found = [worker for worker, said in known.items() if is_older(said)]
        behind = (
            f"run worker {found[0]} is of an earlier version: it does the steps" if found else ""
        )
        if behind and not self._behind:
            log.warning("this run worker takes no steps yet: %s (docs/upgrading.md)", behind)
        self._behind = behind

    # --- steps ---

    def _do(self, step: Step) -> None:
        level = logging.DEBUG if step.name == "follow" else logging.INFO  # every few seconds
        log.log(level, "run %s: %s", step.run_id, step.name)
        assert self._folder is not None
        with (
            StepHold(step, self._queue, self._jobs, self._draining) as hold,
            tracing(step, self._id) as span,
            logs.about(run=step.run_id, step=step.name),
        ):
            try:
                with (
                    tempfile.TemporaryDirectory(dir=self._folder.path) as folder,
                    RunClient(self._settings.api_url, hold, span.context) as client,
                ):
                    self._run(hold, client, Path(folder))
            except (StepLost, StepCanceled) as end:
                span.error_type = type(end).__name__
                log.info("run %s: %s is left: %s", step.run_id, step.name, type(end).__name__)
            except StepYielded:
                log.info("run %s: %s is left to another run worker", step.run_id, step.name)
                self._told(lambda: self._queue.run(yield_step(step, self._jobs)))
            except StepEnded:
                self._release(step)
            except WherryError as error:
                span.error_type = error.code
                self._failed(step, error)
            except Exception as error:
                span.error_type = type(error).__qualname__
                log.exception("run %s: %s broke off", step.run_id, step.name)
                self._release(step, pause_s=_PAUSE_S, fault=True)

    def _run(self, hold: StepHold, client: RunClient, folder: Path) -> None:
        step = hold.step
        kind, _, rest = step.name.partition("/")
        if kind == "plan":
            check_out(step, self._jobs)
            places = places_of(step, self._jobs)
            place = run_place(places, self._queue, self._store, self._jobs)
            plan, shards = plan_run(hold, client, self._settings, folder, place)
            plan = with_earlier(plan, step.spec, self._queue, self._jobs)
            if step.spec.follow:
                follow = RunFollow(since_ms=time.time_ns() // 1_000_000)
                self._queue.run(begin_following(step, plan, follow, self._jobs))
                return
            self._queue.run(finish_plan(step, plan, shards, self._jobs))
        elif kind == "follow":
            self._look_at_source(hold, folder)
        elif kind == "shard":
            found = self._queue.run(get_run(step.run_id, self._jobs))
            count = found.progress.shards_total if found else 1
            shard = ShardRun(
                hold,
                client,
                self._queue,
                self._jobs,
                self._store,
                self._settings,
                self._earlier,
                self._feeds,
            )
            shard.run(folder, count)
        else:
            self._write(hold, client, folder, rest)

    def _look_at_source(self, hold: StepHold, folder: Path) -> None:
        """See what is new in the source of a run that follows it."""
        assert self._folder is not None
        step, cache = hold.step, self._folder.path / "seen"
        assert step.plan is not None
        look = SourceLook(hold, self._queue, self._store, self._jobs, self._settings, cache)
        places = places_of(step, self._jobs)
        place = run_place(places, self._queue, self._store, self._jobs)
        look.run(watched_of(step.spec, step.plan, place), folder)

    def _write(self, hold: StepHold, client: RunClient, folder: Path, export: str) -> None:
        merge = Merge(hold, client, self._queue, self._jobs, self._store)
        output, summary = merge.run(folder, export)
        if export:
            made = RunExport(state="done", output=output)
            self._queue.run(finish_export(hold.step, made, self._jobs))
            return
        self._queue.run(
            end_run(
                hold.step,
                RunState.SUCCEEDED,
                self._jobs,
                output=output,
                notes=summary.findings.notes,
                summary=brief(summary),
            )
        )

    def _failed(self, step: Step, error: WherryError) -> None:
        """Let it be tried again where time may help; else the run ends with what was said."""
        is_away = isinstance(error, Unavailable) and error.retryable
        if is_away or isinstance(error, LedgerHeld):
            log.warning("run %s: %s waits: %s", step.run_id, step.name, error.message)
            self._release(step, pause_s=_PAUSE_S, waits_for=error.message)
            return
        if isinstance(error, Unauthorized):
            # A new key is known to every API after a second; one that was revoked stays unknown.
            self._release(step, pause_s=_PAUSE_S, fault=True)
            return
        log.info("run %s: %s fails: %s", step.run_id, step.name, error.message)
        told = RunError(error_type=error.code, message=error.message)
        if step.name.startswith("export/"):
            call = finish_export(step, RunExport(state="failed", error=told), self._jobs)
        else:
            call = end_run(step, RunState.FAILED, self._jobs, error=told)
        self._told(lambda: self._queue.run(call))

    def _release(
        self, step: Step, *, pause_s: float = 0.0, fault: bool = False, waits_for: str = ""
    ) -> None:
        call = release_step(step, self._jobs, pause_s=pause_s, fault=fault, waits_for=waits_for)
        self._told(lambda: self._queue.run(call))

    def _told(self, tell: Callable[[], object]) -> None:
        try:
            tell()
        except WherryError as error:
            log.warning("a step is left to its lease: %s", error.message)

    # --- looking after all runs ---

    def _look(self) -> None:
        with self._outage.noted():
            self._cordon.look()
            self._compare()
            self._listening.set(not self._closed)
            known = self._exchange()
            self._health.looked(beats=self._id in known)
            for worker, told in known.items():
                if worker != self._id and self._is_gone(told):
                    lost = self._queue.run(lose_worker(worker, self._jobs))
                    log.warning("run worker %s is gone; steps that it was at: %d", worker, lost)
            self._look_for_older(self._alive(known))
            waiting = self._queue.run(look(self._jobs))
            if not (self._at_work or self._closed or self._draining.is_set()):
                steal(self._queue, self._id, self._settings, self._jobs)
            self._consuming.look([_WAITING] if waiting and not self._closed else [])

    def _exchange(self) -> dict[str, dict[str, Any]]:
        """Say that this one lives and what it feeds, and hear the same of others."""
        self._beat()
        known = self._queue.run(run_workers(self._jobs))
        alive = self._alive(known)
        self._feeds.heard(said for worker, said in alive.items() if worker != self._id)
        return known

    def _beat(self) -> None:
        info = {
            **about(self._jobs),
            **self._identity.info(),
            **self._page.info(),
            **self._state(),
            "running": len(self._at_work),
            FEEDS: self._feeds.feeds(),
        }
        self._queue.run(beat(self._id, info, self._jobs))

    def _state(self) -> dict[str, object]:
        leaves = self._draining.is_set() or self._cordon.on
        state = "draining" if leaves else "waiting" if self._apart else READY
        # Ready it is, though one of an earlier version has the steps: an orchestrator ends that one
        # when this one can take its place.
        return {"state": state, "reason": self._cordon.reason or self._apart or self._behind}

    def _alive(self, known: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {worker: said for worker, said in known.items() if not self._is_gone(said)}

    def _is_gone(self, info: dict[str, Any]) -> bool:
        return is_gone(info) or is_silent(info, time.time() * 1000, self._jobs)

    def _remove(self) -> None:
        """Remove the blobs of forgotten runs, and again when nobody can write more of them."""
        with self._removal.noted():
            for run_id, at_ms in self._queue.run(removing(self._jobs)):
                for blob in self._store.blobs(f"run/{run_id}/"):
                    self._store.delete(blob.ref)
                if time.time() - at_ms / 1000 > LEASES * self._jobs.lease_ttl_s:
                    self._queue.run(removed(run_id, self._jobs))
