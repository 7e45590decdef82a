"""Run workers that are slow, or stand still: their shards go to those that are free."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate import Options, annotate
from wherry.client.annotate.in_flight import JOBS_PER_WORKER
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.run_workers import run_workers
from wherry.ops.child import Child
from wherry.ops.services import runs_command
from wherry.ops.stack import Stack, runs_name

from ..support.holding import held
from ..support.models import model
from ..support.stuck_line import StuckLine
from ..support.waiting import until
from .test_runs import Runs, compared, computed, read

#: Rows, in two shards of some batches each.
ROWS, SHARD_ROWS, BATCH = 160, 80, 4


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stolen")
    models = folder / "models.toml"
    models.write_text(
        model("slow", "embedding", max_batch_size=BATCH, hold=str(folder / "hold"))
        + model("words", "embedding", max_batch_size=BATCH)
    )
    env = {
        "WHERRY_LEASE_TTL_S": "3",
        "WHERRY_RUN_SEGMENT_S": "0.2",
        "WHERRY_RUN_STEAL_S": "0.3",
    }
    with Stack(models=models, data_dir=folder, flower=False, run_workers=1, env=env) as stack:
        yield stack


@contextmanager
def another(fleet: Stack, url: str) -> Iterator[Child]:
    """One more run worker, which reaches the API by a URL of its own."""
    said: list[str] = []
    own = {"WHERRY_API_URL": url, "WHERRY_RUN_DIR": str(fleet.data_dir / "other")}
    child = Child(
        runs_name(1),
        runs_command(1, log_level="INFO"),
        env={**fleet._environment(), **own},
        on_line=said.append,
        restart=False,
    )
    child.start(wait=False)
    try:
        until(lambda: worker_of(fleet, child))
        yield child
    finally:
        child.stop()


def worker_of(fleet: Stack, child: Child) -> str:
    """What a process is called as a run worker; "" before it said so."""
    queue = Queue(fleet.redis_url)
    try:
        known = queue.run(run_workers(JobsSettings(redis_url=fleet.redis_url)))
        return next((name for name, told in known.items() if told["pid"] == child.pid), "")
    finally:
        queue.close()


@pytest.fixture
def runs(fleet: Stack) -> Iterator[Runs]:
    runs = Runs(fleet)
    yield runs
    runs.client.close()


@pytest.fixture
def let_go(fleet: Stack) -> Iterator[Callable[[], None]]:
    with held(fleet.data_dir / "hold") as let_go:
        yield let_go


def table_of(folder: Path, what: str) -> Path:
    table = folder / "rows.csv"
    table.write_text("text\n" + "".join(f"{what} {number}\n" for number in range(ROWS)))
    return table


def shards_of(runs: Runs, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = runs.client.get(f"/v2/runs/{run_id}/shards")["shards"]
    return found


def at_work(runs: Runs, run_id: str) -> list[str]:
    return [str(shard["worker"]) for shard in shards_of(runs, run_id) if shard["worker"]]


def ends_as_annotates(runs: Runs, run_id: str, table: Path, folder: Path) -> dict[str, Any]:
    run = runs.ended(run_id)
    assert (run["state"], run["error"]) == ("succeeded", None)
    out = folder / "alone" / "annotations.csv"
    annotate(runs.client, Options(source=str(table), model=run["model"], out=out))
    assert compared(runs.files(run_id)) == compared(read(out.parent, out))
    return run


def begin_with_both(runs: Runs, table: Path, worker: str) -> str:
    """A run whose shards are under way, one of them with that worker."""
    run_id = runs.begin(source=str(table), model="slow", format="csv", shard_rows=SHARD_ROWS)
    until(lambda: at_work(runs, run_id), lambda workers: len(workers) == 2 and worker in workers)
    until(
        lambda: [shard["in_flight"] for shard in shards_of(runs, run_id)],
        lambda in_flight: all(rows > 0 for rows in in_flight),
    )
    return run_id


def test_a_worker_whose_line_is_stuck_does_not_hold_a_run(
    fleet: Stack, runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    """Its lease is renewed all the time: it lives, and gets nothing done."""
    table, before = table_of(tmp_path, "stuck"), computed(runs, "slow")
    with (
        StuckLine(fleet.port) as line,
        another(fleet, f"http://127.0.0.1:{line.port}") as child,
    ):
        stuck = worker_of(fleet, child)
        run_id = begin_with_both(runs, table, stuck)
        line.stick()
        let_go()
        until(lambda: stuck in at_work(runs, run_id), lambda is_there: not is_there)
        run = runs.ended(run_id)
        assert (run["state"], run["error"]) == ("succeeded", None)
        assert worker_of(fleet, child) == stuck, "it still lives"
        assert run["rows"]["answered"] == ROWS
        assert computed(runs, "slow") - before == ROWS, "jobs that it had sent are read, not redone"
        child.signal(signal.SIGKILL)  # it would wait for its answer
    ends_as_annotates(runs, run_id, table, tmp_path)


def test_a_worker_that_hears_leaves_its_shard_with_what_it_knows(
    fleet: Stack, runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    table, before = table_of(tmp_path, "asked"), computed(runs, "slow")
    with another(fleet, fleet.url):
        run_id = runs.begin(source=str(table), model="slow", format="csv", shard_rows=ROWS)
        [first] = until(lambda: at_work(runs, run_id))
        until(lambda: set(at_work(runs, run_id)) - {first})
        let_go()
        run = runs.ended(run_id)
        assert (run["state"], run["rows"]["answered"]) == ("succeeded", ROWS)
        assert computed(runs, "slow") - before == ROWS
    ends_as_annotates(runs, run_id, table, tmp_path)


def test_a_worker_that_was_stopped_and_goes_on_writes_nothing(
    fleet: Stack, runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    table = table_of(tmp_path, "stopped")
    with another(fleet, fleet.url) as child:
        stopped = worker_of(fleet, child)
        run_id = begin_with_both(runs, table, stopped)
        child.signal(signal.SIGSTOP)
        try:
            let_go()
            run = runs.ended(run_id)
            assert (run["state"], run["error"]) == ("succeeded", None)
        finally:
            child.signal(signal.SIGCONT)
        ends_as_annotates(runs, run_id, table, tmp_path)
        other = runs.begin(source=str(table), model="words", shard_rows=5, format="csv")
        until(lambda: [s["worker"] for s in shards_of(runs, other)], lambda found: stopped in found)
        assert runs.ended(other)["state"] == "succeeded", "and is at work again"


def test_those_who_feed_a_model_share_its_jobs_in_flight_and_who_dies_leaves_its_room(
    fleet: Stack, runs: Runs, tmp_path: Path, let_go: Callable[[], None]
) -> None:
    table = table_of(tmp_path, "shared")
    with another(fleet, fleet.url) as child:
        run_id = begin_with_both(runs, table, worker_of(fleet, child))
        before = feeding(fleet)
        assert len(before) == 2
        later = until(
            lambda: feeding(fleet),
            lambda now: all(now.get(worker, 0) > before[worker] + 2000 for worker in before),
        )
        assert later.keys() == before.keys()
        assert JOBS_PER_WORKER <= jobs_at(runs) <= JOBS_PER_WORKER + 2
        child.signal(signal.SIGKILL)
        [left] = until(lambda: feeding(fleet), lambda now: len(now) == 1)
        until(
            lambda: {shard["worker"]: shard["in_flight"] for shard in shards_of(runs, run_id)},
            lambda rows: rows[left] == JOBS_PER_WORKER * BATCH,
        )
        let_go()
        runs.ended(run_id)
    ends_as_annotates(runs, run_id, table, tmp_path)


def feeding(fleet: Stack) -> dict[str, int]:
    """When each run worker that says that it feeds a model said so last, in ms."""
    queue = Queue(fleet.redis_url)
    try:
        known = queue.run(run_workers(JobsSettings(redis_url=fleet.redis_url)))
        return {worker: told["seen_at_ms"] for worker, told in known.items() if told["feeds"]}
    finally:
        queue.close()


def jobs_at(runs: Runs) -> int:
    """Jobs that wait or run."""
    totals = runs.client.get("/v2/queues")["totals"]
    return int(totals["waiting"] + totals["running"])
