"""A fleet in simulated time: workers that start, run batches and end, and a scaler that looks."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from wherry.jobs.demand import FORGET_S, Costs

from .day import DAY_S, HOUR_S, MODELS, Arrival, Model
from .scalers import LaneView, Scaler, View

#: Seconds from asking for a worker to its process, and in which that loads its models.
START_S, LOAD_S = 30.0, 15.0

#: Seconds between two looks.
LOOK_EVERY_S = 15.0

#: How fast Kubernetes' autoscaler lets a deployment grow at a look: by so many, or to twice.
_GROWS_BY = 4

_MODELS = {model.name: model for model in MODELS}


@dataclass(slots=True)
class _Worker:
    number: int
    asked_s: float
    ready: bool = False
    #: What it runs: a model, whether it is bulk, jobs, rows; None while it is idle.
    runs: tuple[Model, bool, int, int] | None = None
    leaving: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a day."""

    #: Seconds that interactive jobs waited, and bulk ones.
    waits: list[float] = field(default_factory=list)
    bulk_waits: list[float] = field(default_factory=list)
    worker_s: float = 0.0
    #: How many workers there were, by time, whenever that changed.
    workers: list[tuple[float, int]] = field(default_factory=list)
    work_s: float = 0.0


class Fleet:
    """Runs a day. Interactive jobs go before bulk ones; in a lane, whose first job came first."""

    def __init__(
        self, scaler: Scaler, jobs: Sequence[Arrival], workers: int = 0, *, until_s: float = DAY_S
    ) -> None:
        """From the whole hour in which the first job comes; with some workers to begin with."""
        self._scaler, self._jobs, self._until_s = scaler, jobs, until_s
        self._now_s = jobs[0].at_s // HOUR_S * HOUR_S
        self._queues: dict[tuple[str, bool], deque[Arrival]] = {
            (name, bulk): deque() for name in _MODELS for bulk in (False, True)
        }
        self._rows = dict.fromkeys(self._queues, 0)
        self._workers: dict[int, _Worker] = {}
        self._numbers, self._turns = itertools.count(), itertools.count()
        self._events: list[tuple[float, int, str, int]] = []
        self._costs: dict[str, dict[int, float]] = {name: {} for name in _MODELS}
        self._used, self._used_at_s = 0.0, 0.0
        self._told = False
        self.outcome = Outcome()
        for _ in range(workers):
            self._add(ready=True)

    def run(self) -> Outcome:
        """The time asked for, and to the end of the last job."""
        coming = iter(self._jobs)
        arrival = next(coming, None)
        self._at(self._now_s, "look", 0)
        while arrival is not None or self._now_s < self._until_s or self._unfinished():
            if arrival is not None and arrival.at_s <= self._events[0][0]:
                self._now_s = arrival.at_s
                self._arrive(arrival)
                arrival = next(coming, None)
                continue
            self._now_s, _, kind, number = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(number)
        for worker in list(self._workers.values()):
            self._gone(worker)
        return self.outcome

    def _unfinished(self) -> bool:
        return any(self._queues.values()) or any(w.runs for w in self._workers.values())

    def _at(self, at_s: float, kind: str, number: int) -> None:
        heapq.heappush(self._events, (at_s, next(self._turns), kind, number))

    def _arrive(self, job: Arrival) -> None:
        key = job.model.name, job.bulk
        self._queues[key].append(job)
        self._rows[key] += job.rows
        for worker in self._workers.values():
            if worker.ready and not worker.runs and not worker.leaving:
                self._begin(worker)
                return
        if self._scaler.is_told and not self._workers:
            self._scale()

    def _begin(self, worker: _Worker) -> None:
        """Have an idle worker take the batch that is due."""
        due = min(
            ((bulk, queue[0].at_s, name) for (name, bulk), queue in self._queues.items() if queue),
            default=None,
        )
        if due is None:
            return
        bulk, _, name = due
        queue, model = self._queues[name, bulk], _MODELS[name]
        jobs, rows = 0, 0
        waits = self.outcome.bulk_waits if bulk else self.outcome.waits
        while queue and (jobs == 0 or rows + queue[0].rows <= model.most):
            job = queue.popleft()
            jobs, rows = jobs + 1, rows + job.rows
            waits.append(self._now_s - job.at_s)
        self._rows[name, bulk] -= rows
        worker.runs = model, bulk, jobs, rows
        self._at(self._now_s + model.seconds(rows), "done", worker.number)

    def _done(self, number: int) -> None:
        worker = self._workers[number]
        assert worker.runs is not None
        model, bulk, _, rows = worker.runs
        self._learn(model, rows, bulk=bulk)
        worker.runs = None
        if worker.leaving:
            self._gone(worker)
        else:
            self._begin(worker)

    def _learn(self, model: Model, rows: int, *, bulk: bool) -> None:
        """As finish.lua does."""
        seconds, size = model.seconds(rows), int(math.log2(rows))
        self.outcome.work_s += seconds
        known = self._costs[model.name]
        known[size] = seconds / rows * 0.3 + known.get(size, seconds / rows) * 0.7
        if not bulk:
            self._used = self._used_now() + seconds / FORGET_S
            self._used_at_s = self._now_s

    def _used_now(self) -> float:
        return self._used * math.exp(-(self._now_s - self._used_at_s) / FORGET_S)

    def _ready(self, number: int) -> None:
        worker = self._workers.get(number)
        if worker is not None:
            worker.ready = True
            self._begin(worker)

    def _look(self, _: int) -> None:
        self._at(self._now_s + LOOK_EVERY_S, "look", 0)
        self._scale()

    def _scale(self) -> None:
        wanted = self._scaler.wanted(self._view())
        have = [worker for worker in self._workers.values() if not worker.leaving]
        # From none KEDA makes one; beyond it is the autoscaler's.
        most = max(2 * len(have), len(have) + _GROWS_BY) if have else 1
        for _ in range(min(wanted, most) - len(have)):
            self._add(ready=False)
        for worker in self._ended_first(have)[: max(0, len(have) - wanted)]:
            if worker.runs:
                worker.leaving = True
            else:
                self._gone(worker)

    def _ended_first(self, have: list[_Worker]) -> list[_Worker]:
        """As Kubernetes chooses: who is not ready, then by what ending costs, then the newest."""
        picks = self._scaler.picks_idle
        return sorted(have, key=lambda w: (w.ready, picks and w.runs is not None, -w.asked_s))

    def _add(self, *, ready: bool) -> None:
        worker = _Worker(next(self._numbers), self._now_s, ready=ready)
        self._workers[worker.number] = worker
        self._count()
        if not ready:
            self._at(self._now_s + START_S + LOAD_S, "ready", worker.number)

    def _gone(self, worker: _Worker) -> None:
        del self._workers[worker.number]
        self.outcome.worker_s += self._now_s - worker.asked_s
        self._count()

    def _count(self) -> None:
        self.outcome.workers.append((self._now_s, len(self._workers)))

    def _view(self) -> View:
        running: dict[tuple[str, bool], tuple[int, int]] = {}
        for worker in self._workers.values():
            if worker.runs is not None:
                model, bulk, jobs, rows = worker.runs
                before = running.get((model.name, bulk), (0, 0))
                running[model.name, bulk] = before[0] + jobs, before[1] + rows
        return View(
            at_s=self._now_s,
            lanes={
                key: LaneView(
                    len(queue),
                    self._rows[key],
                    *running.get(key, (0, 0)),
                    self._now_s - queue[0].at_s if queue else 0.0,
                )
                for key, queue in self._queues.items()
                if queue or key in running
            },
            costs={name: Costs(dict(known)) for name, known in self._costs.items()},
            most={name: model.most for name, model in _MODELS.items()},
            used=self._used_now(),
            workers=sum(worker.ready and not worker.leaving for worker in self._workers.values()),
            busy=sum(worker.runs is not None for worker in self._workers.values()),
        )
