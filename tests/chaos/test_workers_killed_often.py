"""Both of two workers die again and again, under a trickle and under a backlog.

Stock Celery loses a job per kill just when its workers keep up, so both are tried.
"""

from __future__ import annotations

import random
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wherry.jobs.record import JobRecord
from wherry.ops.stack import Stack

from ..support.models import model
from .fleet import LEASE_S, Fleet, Hit, Source, duplicated, lost, recoveries_s
from .ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]

#: It computes 100 rows a second.
BUSY = """
[[models]]
name = "busy"
task = "image-classification"
backend = "stub"
max_batch_size = 16
parameters = {{ delay_per_row_s = 0.01, exit_on = "EXIT", exit_once = "{seen}" }}
"""

#: It takes three leases, to warm up too: workers that are killed have none of it.
LONG = model("long", "image-classification", max_batch_size=2, delay_s=3 * LEASE_S)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a row leaves a file when it has ended its process."""
    return tmp_path_factory.mktemp("seen")


@contextmanager
def running(folder: Path, models: str) -> Iterator[Fleet]:
    (folder / "models.toml").write_text(models)
    # However often a job has bad luck here, it is not to blame.
    env = {"WHERRY_LEASE_TTL_S": str(LEASE_S), "WHERRY_MAX_ATTEMPTS": "50"}
    with Stack(
        models=folder / "models.toml", data_dir=folder, flower=False, workers_per_family=2, env=env
    ) as stack:
        fleet = Fleet(stack)
        yield fleet
        fleet.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, seen: Path) -> Iterator[Fleet]:
    with running(tmp_path_factory.mktemp("fleet"), BUSY.format(seen=seen)) as fleet:
        yield fleet


class Killers(threading.Thread):
    """Hits one worker at random moments of its life, until there have been enough hits of all."""

    def __init__(
        self, fleet: Fleet, number: int, signal_number: int, wanted: int, seed: float
    ) -> None:
        super().__init__(name=f"killer-{number}")
        self._fleet, self._number, self._signal = fleet, number, signal_number
        self._wanted, self._chance = wanted, random.Random(seed)
        self.hits: list[Hit] = []

    def run(self) -> None:
        while len(self.hits) < self._wanted:
            # Half of the hits leave a colleague to recover the jobs, which is what is timed.
            needed = [self._number, *([1 - self._number] if self._chance.random() < 0.5 else [])]
            while any(self._fleet.worker_id(number) is None for number in needed):
                time.sleep(0.05)
            time.sleep(self._chance.uniform(0.0, 2.0))
            hit = self._fleet.hit(self._number, self._signal)
            if hit is not None:
                self.hits.append(hit)


def kill_both(fleet: Fleet, number: int, count: int, chance: random.Random) -> list[Hit]:
    killers = [Killers(fleet, worker, number, count // 2, chance.random()) for worker in (0, 1)]
    for killer in killers:
        killer.start()
    for killer in killers:
        killer.join()
    return [hit for killer in killers for hit in killer.hits]


@pytest.mark.parametrize("load", ["trickle", "backlog"])
@pytest.mark.parametrize("kind", ["SIGKILL", "SIGTERM"])
def test_nothing_is_lost_or_doubled_when_workers_are_killed(
    fleet: Fleet, faults: Ledger, chance: random.Random, full: bool, kind: str, load: str
) -> None:
    kills, jobs = (80 if kind == "SIGKILL" else 40, 2_000) if full else (4, 100)
    with Source(fleet, f"{kind}-{load}", trickle=load == "trickle") as source:
        hits = kill_both(fleet, getattr(signal, kind), kills, chance)
        source.until(lambda: len(source.ids) >= jobs, timeout_s=300)
    records = fleet.ended(source.ids, timeout_s=60)
    times = recoveries_s(hits, records)
    faults.record(
        fault=f"worker {kind}, {load}",
        injected=len(hits),
        jobs=len(records),
        lost=lost(records),
        duplicated=duplicated(records),
        recoveries_s=times,
    )
    assert len(records) >= jobs
    assert max(times, default=0.0) < 10


@pytest.mark.parametrize("load", ["trickle", "backlog"])
def test_nothing_is_lost_or_doubled_when_workers_exit_for_want_of_memory(
    fleet: Fleet, faults: Ledger, full: bool, load: str, seen: Path
) -> None:
    exits = 30 if full else 2
    before = {path.name for path in seen.iterdir()}
    with Source(fleet, f"exit-{load}", load == "trickle", word="EXIT", marked=exits) as source:
        source.until(lambda: len(list(seen.iterdir())) == len(before) + exits, timeout_s=900)
    records = fleet.ended(source.ids, timeout_s=120)
    ended = {path.name: path.stat().st_mtime * 1000 for path in seen.iterdir()}
    by_id = {record.id: record for record in records}
    hits = [
        Hit(_worker_at(by_id[source.digests[name]], at_ms), at_ms)
        for name, at_ms in ended.items()
        if name not in before
    ]
    times = recoveries_s(hits, records)
    faults.record(
        fault=f"worker exits for want of memory, {load}",
        injected=len(hits),
        jobs=len(records),
        lost=lost(records),
        duplicated=duplicated(records),
        recoveries_s=times,
    )
    assert len(hits) == exits
    assert max(times, default=0.0) < 10


def test_a_job_of_three_leases_under_a_healthy_worker_runs_once(
    tmp_path: Path, faults: Ledger
) -> None:
    ids = [f"long-{number}" for number in range(4)]
    with running(tmp_path, LONG) as fleet:
        fleet.submit("long", [(job_id, job_id.encode()) for job_id in ids])
        records = fleet.ended(ids, timeout_s=12 * LEASE_S)
    faults.record(
        fault="none: jobs of three leases",
        injected=0,
        jobs=len(ids),
        lost=lost(records),
        duplicated=duplicated(records),
    )
    assert [record.attempt for record in records] == [1] * 4
    for record in records:
        assert record.history[-1].at_ms - record.history[-2].at_ms > 2900 * LEASE_S


def test_a_frozen_worker_is_taken_over_from_and_its_late_answers_are_dropped(
    fleet: Fleet, faults: Ledger, chance: random.Random, full: bool
) -> None:
    late = fleet.totals().get("late", 0)
    with Source(fleet, "frozen", trickle=False) as source:
        hits = [_freeze(fleet, n % 2, chance) for n in range(8 if full else 1)]
    records = fleet.ended(source.ids, timeout_s=60)
    times = recoveries_s(hits, records)
    faults.record(
        fault="worker frozen past its lease, then resumed",
        injected=len(hits),
        jobs=len(records),
        lost=lost(records),
        duplicated=duplicated(records),
        recoveries_s=times,
    )
    assert fleet.totals()["late"] > late, "no late answer was refused"
    assert statistics.median(times) > LEASE_S / 2, "only the lease tells of a frozen worker"
    assert max(times) < 10


def _freeze(fleet: Fleet, number: int, chance: random.Random) -> Hit:
    """SIGSTOP a worker that is at work, and let it go on once its jobs are others'."""
    while fleet.worker_id(number) is None or fleet.waiting() < 50:
        time.sleep(0.05)
    time.sleep(chance.uniform(0.5, 1.5))
    hit = fleet.hit(number, signal.SIGSTOP)
    assert hit is not None
    try:
        time.sleep(1.6 * LEASE_S)
    finally:
        fleet.stack.worker("vision", number).signal(signal.SIGCONT)
    time.sleep(1)
    return hit


def _worker_at(record: JobRecord, at_ms: float) -> str:
    """Which worker ran a job at an instant."""
    runs = [change for change in record.history if change.worker and change.at_ms <= at_ms + 1]
    return runs[-1].worker
