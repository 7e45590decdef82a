"""Jobs in flight: as many as keep the workers busy, shared by all who feed them."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.client import mapping
from wherry.client.annotate.compute import WorkDone
from wherry.client.annotate.in_flight import JOBS_PER_WORKER, JobsInFlight, jobs_in_flight
from wherry.client.annotate.job_size import JobSize
from wherry.client.flow import HttpRequest, HttpResponse
from wherry.client.map_steps import Emit, NeedInput, SourceEnd
from wherry.client.mapping import MapRun
from wherry.protocol import v2
from wherry.protocol.errors import Unavailable

#: Jobs for each worker, and seconds until those who feed them know what a call takes.
JOBS, WARM_S = 200, 1.0

REQUEST = v2.InferenceRequest(
    inputs=[v2.RequestInput(name="text", datatype="BYTES", shape=[1], data=["a"])]
)


def known(rows_s: float, rows: int = 16) -> JobSize:
    """A model one worker of which does so many rows a second, in jobs of 16."""
    done = iter([WorkDone(0, 0.0, 0.0), WorkDone(1000, 1000 / rows_s, 1000 / rows_s)])
    size = JobSize(lambda: next(done), rows, rows)
    size._look()
    return size


class Simulated:
    """A fleet and those who feed it, in a time of its own: each is a real map."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, feeders: int, workers: int, job_s: float
    ) -> None:
        self.now, self.job_s = 0.0, job_s
        self.free_at = [0.0] * workers
        self.ends: dict[str, float] = {}
        self.idle_s, self.most, self.left = 0.0, 0, 0
        self.feeders = feeders
        monkeypatch.setattr(mapping, "time", self)

    def monotonic(self) -> float:
        return self.now

    def run(self, call_s: float, size: JobSize | None) -> None:
        """Feed the fleet until all is answered."""
        self.events: list[tuple[float, int, Any]] = []
        self.runs: list[MapRun] = []
        self.numbers = itertools.count()
        each = JOBS * len(self.free_at) // self.feeders
        self.left = each * self.feeders
        for number in range(self.feeders):
            room = JobsInFlight(len(self.free_at), size, sharers=lambda: self.feeders)
            run = MapRun(
                model="m", priority=0, in_flight=room, id_prefix=f"{number}-", patience_s=1
            )
            self.runs.append(run)
            self._go_on(run.run(), None, deque(range(each)), call_s)
        while self.events:
            self.now, _, event = heapq.heappop(self.events)
            event()
            self.most = max(self.most, sum(run.taken - run.emitted for run in self.runs))

    def _at(self, at: float, event: Any) -> None:
        heapq.heappush(self.events, (at, next(self.numbers), event))

    def _go_on(self, flow: Any, given: Any, source: deque[int], call_s: float) -> None:
        try:
            while True:
                step, given = flow.send(given), None
                if isinstance(step, NeedInput):
                    given = next(self._inputs(source))
                elif not isinstance(step, Emit):
                    break
        except StopIteration:
            return
        half, call = call_s / 2, step
        assert isinstance(call, HttpRequest)

        def arrive() -> None:
            at, reply = self._served(call)
            self._at(at + half, lambda: self._go_on(flow, reply(), source, call_s))

        self._at(self.now + half, arrive)

    def _inputs(self, source: deque[int]) -> Iterator[Any]:
        if not source:
            yield SourceEnd()
            return
        source.popleft()
        self.left -= 1
        yield REQUEST

    def _served(self, call: HttpRequest) -> tuple[float, Any]:
        """When the server answers, and what it says then."""
        body = json.loads(call.content or b"{}")
        if call.path == "/v2":
            return self.now, lambda: HttpResponse(200, b"{}")
        if call.path == "/v2/jobs:batch":
            ids = [entry["request"]["id"] for entry in body["jobs"]]
            for job in ids:
                self._claim(job)
            jobs = [{"job": {"id": job}} for job in ids]
            return self.now, lambda: HttpResponse(200, json.dumps({"jobs": jobs}).encode())
        assert call.path == "/v2/jobs:status"
        first = min(self.ends[job] for job in body["ids"])
        at = max(self.now, min(first, self.now + body["wait"]))
        views = [self._view(job, at) for job in body["ids"]]
        return at, lambda: HttpResponse(200, json.dumps({"jobs": views}).encode())

    def _claim(self, job: str) -> None:
        """First come, first served, by the worker that is free first."""
        worker = min(range(len(self.free_at)), key=self.free_at.__getitem__)
        if self.left and self.now > WARM_S:  # at the end nobody has more
            self.idle_s += max(0.0, self.now - self.free_at[worker])
        self.free_at[worker] = max(self.now, self.free_at[worker]) + self.job_s
        self.ends[job] = self.free_at[worker]

    def _view(self, job: str, at: float) -> dict[str, Any]:
        if self.ends[job] > at:
            return {"id": job, "status": "running"}
        result = {"model_name": "m", "model_version": "1", "id": job, "outputs": []}
        return {"id": job, "status": "succeeded", "result": result}


@pytest.mark.parametrize("call_s", [0.001, 0.02, 0.1])
@pytest.mark.parametrize(("feeders", "workers"), [(1, 3), (4, 1), (7, 2)])
def test_no_worker_waits_and_all_who_feed_them_keep_one_runs_jobs_in_flight(
    feeders: int, workers: int, call_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_s = 0.02
    fleet = Simulated(monkeypatch, feeders=feeders, workers=workers, job_s=job_s)
    fleet.run(call_s, known(16 / job_s))
    whole = jobs_in_flight(workers, 1 / job_s, call_s)
    assert fleet.most <= whole + feeders
    assert fleet.idle_s / workers < 0.02 * JOBS * job_s


def test_where_the_pace_is_unknown_a_far_server_would_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four jobs a worker, whatever a call takes, are too few: the simulation tells."""
    fleet = Simulated(monkeypatch, feeders=1, workers=1, job_s=0.02)
    fleet.run(0.1, None)
    assert fleet.idle_s > 0.3 * JOBS * 0.02


def test_jobs_that_take_long_are_no_more_than_workers_have_in_hand_and_one() -> None:
    room = JobsInFlight(3, known(1.6))
    assert room.room(0.0) == 3 * JOBS_PER_WORKER
    assert room.room(0.002) == 3 * JOBS_PER_WORKER + 1, "ten seconds a job"


def test_a_call_that_takes_for_ever_does_not_fill_the_memory() -> None:
    assert JobsInFlight(2, known(16_000)).room(60.0) == 6 * 2 * JOBS_PER_WORKER


def test_whoever_shares_has_one_at_least() -> None:
    room = JobsInFlight(1, None, sharers=lambda: 50)
    assert room.room(0.0) == 1


def test_workers_that_come_and_go_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now, found = [0.0], iter([2, 0])
    monkeypatch.setattr("wherry.client.annotate.in_flight.time.monotonic", lambda: now[0])

    def count() -> int:
        for workers in found:
            return workers
        raise Unavailable("away")

    room = JobsInFlight(1, None, count=count)
    seen = []
    for _ in range(4):
        room.look()
        seen.append(room.room(0.0))
        now[0] += 2.0
    assert seen == [4, 8, 4, 4]
    room.look()
    assert room.room(0.0) == 4, "as many as there were"


@pytest.mark.parametrize(
    ("busy_s", "compute_s", "jobs_s"), [(1.0, 0.9, 1 / 0.9), (3.0, 0.1, 1.0), (0.0, 0.0, 1e9 / 16)]
)
def test_a_worker_is_as_quick_as_its_device_or_its_threads(
    busy_s: float, compute_s: float, jobs_s: float
) -> None:
    done = iter([WorkDone(0, 0.0), WorkDone(16, busy_s, compute_s)])
    size = JobSize(lambda: next(done), 16, 16)
    assert size.jobs_per_s == 0
    size._look()
    assert size.jobs_per_s == pytest.approx(jobs_s)
