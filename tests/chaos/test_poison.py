"""Rows that break whatever runs them, and a device that is too small: the others go on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from wherry.jobs.dead import list_dead
from wherry.jobs.fleet import stats
from wherry.jobs.record import JobRecord
from wherry.ops import child
from wherry.ops.stack import Stack
from wherry.protocol.states import JobState

from ..support.models import model
from ..support.waiting import until
from .fleet import LEASE_S, Fleet, duplicated, lost
from .ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

MODELS = model(
    "fragile",
    "image-classification",
    max_batch_size=16,
    delay_per_row_s=0.002,
    reject_on="REJECT",
    raise_on="RAISE",
    crash_on="CRASH",
    exit_on="EXIT",
) + model("tight", "image-classification", max_batch_size=16, fits_rows=5)

#: What a poison row ends as: the error's type, and the attempts it may cost.
ENDS = {
    "REJECT": ("invalid_row", 1),
    "RAISE": ("backend_error", 1),
    "CRASH": ("worker_lost", 3),
    "EXIT": ("worker_lost", 3),
    "BROKEN": ("invalid_request", 1),
}

#: Rows that a full batch on the small device holds in the end, before any step up.
FITTED = 4

Lines = list[str]


@pytest.fixture(scope="module")
def lines() -> Lines:
    return []


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, lines: Lines) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("poison")
    models = folder / "models.toml"
    models.write_text(MODELS)

    def log(service: str, line: str) -> None:
        lines.append(line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "_LAST_WAIT_S", 0.5)
        with Stack(
            models=models,
            data_dir=folder,
            flower=False,
            workers_per_family=2,
            env={"WHERRY_LEASE_TTL_S": str(LEASE_S)},
            log=log,
        ) as stack:
            fleet = Fleet(stack)
            yield fleet
            fleet.close()


def test_poison_fails_alone_and_no_innocent_becomes_a_dead_letter(
    fleet: Fleet, faults: Ledger, full: bool
) -> None:
    rows, poison = mixed(*(2_000, 50) if full else (120, 24))
    with stopped_workers(fleet):
        fleet.submit("fragile", rows)
        for job_id in [job_id for job_id, word in poison.items() if word == "BROKEN"]:
            key = fleet.queue.redis.hget(f"wherry:job:{job_id}", "payload_key")
            assert isinstance(key, bytes)
            fleet.queue.redis.set(key, b'{"inputs": [')
    records = fleet.ended([job_id for job_id, _ in rows], timeout_s=300)
    innocent = [record for record in records if record.id not in poison]
    ended = {record.id: (record.error_type, record.attempt) for record in records}
    dead = fleet.queue.run(list_dead(fleet.settings, limit=1000))
    faults.record(
        fault="poison rows: reject, raise, crash, exit, broken",
        injected=len(poison),
        jobs=len(records),
        lost=lost(innocent),
        duplicated=duplicated(records),
    )
    for job_id, word in poison.items():
        error, attempts = ENDS[word]
        assert ended[job_id][0] == error, word
        assert ended[job_id][1] >= attempts, word
    deadly = {job_id for job_id, word in poison.items() if word in ("CRASH", "EXIT")}
    assert {*dead.ids} == deadly, "exactly the rows that kill are dead letters"
    replayed_kill_again(fleet, min(deadly))


def mixed(count: int, every: int) -> tuple[list[tuple[str, bytes]], dict[str, str]]:
    """Jobs, one of so many of them poison, and which those are."""
    rows: list[tuple[str, bytes]] = []
    poison: dict[str, str] = {}
    for number in range(count):
        job_id, word = f"p{number}", ""
        if number % every == every // 2:
            word = poison[job_id] = list(ENDS)[len(poison) % len(ENDS)]
        rows.append((job_id, f"row {number} {word}".encode()))
    return rows, poison


def replayed_kill_again(fleet: Fleet, job_id: str) -> None:
    """A replay keeps id and history, and poison stays poison."""
    assert fleet.client.post(f"/v2/dead/{job_id}/replay", {})["id"] == job_id
    [record] = fleet.ended([job_id], timeout_s=120)
    failures = [change for change in record.history if change.status is JobState.FAILED]
    assert (len(failures), record.attempt, record.error_type) == (2, 3, "worker_lost")


def test_a_batch_budget_that_ran_out_of_memory_is_known_after_a_restart(
    fleet: Fleet, faults: Ledger, lines: Lines
) -> None:
    run_tight(fleet, "first")
    learned = [line for line in lines if "tight: batches of weight" in line]
    assert any(f"may hold {FITTED} rows" in line for line in learned), learned
    before = executions(fleet)
    for number in (0, 1):
        hit = fleet.hit(number, signal.SIGKILL)
        assert hit is not None
        until(partial(is_back, fleet, number, hit.worker))
    records = run_tight(fleet, "second")
    faults.record(
        fault="device out of memory",
        injected=len(learned),
        jobs=2 * len(records),
        lost=lost(records),
        duplicated=duplicated(records),
    )
    assert [line for line in lines if "tight: batches of weight" in line] == learned
    assert executions(fleet) - before >= len(records) / FITTED, "no batch was larger than fits"


def run_tight(fleet: Fleet, name: str) -> list[JobRecord]:
    ids = [f"{name}-{number}" for number in range(32)]
    with stopped_workers(fleet):
        fleet.submit("tight", [(job_id, job_id.encode()) for job_id in ids])
    records = fleet.ended(ids, timeout_s=60)
    assert lost(records) == 0
    return records


def is_back(fleet: Fleet, number: int, before: str) -> bool:
    return fleet.worker_id(number) not in (None, before)


def executions(fleet: Fleet) -> int:
    return fleet.queue.run(stats("tight", "1", fleet.settings))["execution_count"]


@contextmanager
def stopped_workers(fleet: Fleet) -> Iterator[None]:
    """Hold both workers still for less than their lease, so that all jobs wait at once."""
    for number in (0, 1):
        until(partial(fleet.worker_id, number))
    workers = [fleet.stack.worker("vision", number) for number in (0, 1)]
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)
