"""What holds after any sequence of verbs: tickets, counters, flows; nothing lost, nothing left."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish, release
from wherry.jobs.keys import Keys
from wherry.jobs.metrics import fleet_counts, model_counts
from wherry.jobs.read import read
from wherry.jobs.record import BatchStats, Claim, JobRecord
from wherry.jobs.recover import cancel, reap, reissue, requeue, sweep
from wherry.jobs.submit import submit

KEYS = Keys("wherry")
GROUPS = [
    Group("vision", model, "1", tenant=tenant, priority=priority)
    for model in ("digits", "pets")
    for tenant in ("-", "ann", "bob")
    for priority in (1, 5, 9)
]
BUDGETS = {group.model_id: BatchBudget(max_rows=3) for group in GROUPS}
WORKERS = ("w1", "w2", "w3")
Make = Callable[..., NewJob]


class Play:
    """Random verbs, with what the test itself knows of the jobs."""

    def __init__(self, queue: Queue, settings: JobsSettings, new_job: Make, seed: int) -> None:
        self.queue, self.settings, self.new_job = queue, settings, new_job
        self.redis: Any = queue.redis  # redis-py types an answer as all it may ever be
        self.random = random.Random(seed)
        self.ids: list[str] = []
        self.held: dict[str, list[Claim]] = {worker: [] for worker in WORKERS}

    def step(self) -> None:
        verbs = [self.add] * 5 + [self.serve] * 4 + [self.end] * 3
        self.random.choice(
            [*verbs, self.cancel, self.die, self.give_back, self.replay, self.mend]
        )()

    def add(self) -> None:
        group = self.random.choice(GROUPS)
        payload = b"x" * self.random.randint(1, 500)
        fields = {"execution_timeout_ms": 600_000} if self.random.random() < 0.2 else {}
        job = self.new_job(group=group, payload=payload, rows=self.random.randint(1, 2), **fields)
        self.ids.append(self.queue.run(submit(job, self.settings)).id)

    def serve(self) -> None:
        """A worker takes the next ticket, as Celery does."""
        raw = self.redis.rpop("vision")
        if raw is None:
            return
        assert isinstance(raw, bytes)
        _, hint = json.loads(base64.b64decode(json.loads(raw)["body"]))[0]
        worker = self.random.choice(WORKERS)
        claimed = self.queue.run(claim(Group.parse(hint), worker, BUDGETS, self.settings))
        if claimed.jobs:
            self.held[worker].append(claimed)

    def end(self) -> None:
        worker = self.random.choice(WORKERS)
        if self.held[worker]:
            claimed = self.held[worker].pop()
            assert claimed.group is not None
            outcomes = [Outcome(id=job.id, attempt=job.attempt) for job in claimed.jobs]
            stats = BatchStats(
                group=claimed.group,
                rows=len(claimed.jobs),
                max_rows=3,
                compute_us=500,
                charges=claimed.charges,
            )
            self.queue.run(finish(worker, outcomes, stats, self.settings))

    def cancel(self) -> None:
        if self.ids:
            self.queue.run(cancel(self.random.choice(self.ids), self.settings))

    def die(self) -> None:
        worker = self.random.choice(WORKERS)
        if self.random.random() < 0.5:
            self.held[worker].clear()  # else it is only frozen: its answers come late
        reaped = self.queue.run(reap(worker, self.settings, gone=True))
        self.queue.run(reissue(reaped.groups, self.settings, at_once=True))

    def give_back(self) -> None:
        worker = self.random.choice(WORKERS)
        if self.held[worker]:
            for share in self.held[worker].pop().shares:
                given = release(
                    share.group, worker, share.jobs, self.settings, charged_us=share.charged_us
                )
                self.queue.run(given)

    def replay(self) -> None:
        for raw in self.redis.zrange(KEYS.dead, 0, 0):
            [found] = self.queue.run(read([raw.decode()], self.settings))
            assert found is not None
            self.queue.run(requeue(found.id, found.group, self.settings))

    def mend(self) -> None:
        self.queue.run(sweep(self.settings))

    def records(self) -> list[JobRecord]:
        found = self.queue.run(read(self.ids, self.settings))
        assert all(found), "nothing is lost"
        return [record for record in found if record]


def check(play: Play) -> None:
    redis = play.redis
    records = play.records()
    waiting = Counter(r.group.id for r in records if r.status == "queued")
    running = Counter(r.group.id for r in records if r.status == "running")
    for group in GROUPS:
        state = redis.hgetall(KEYS.group(group.id))
        assert int(state.get(b"waiting", 0)) == waiting[group.id]
        assert int(state.get(b"running", 0)) == running[group.id]
        listed = redis.lrange(KEYS.wait(group.id), 0, -1)
        queued = {r.id.encode() for r in records if r.status == "queued" and r.group == group}
        assert queued <= set(listed)
        assert waiting[group.id] or not listed, "an idle group keeps no list"
    totals = redis.hgetall(KEYS.totals)
    assert int(totals.get(b"waiting", 0)) == sum(waiting.values())
    assert int(totals.get(b"running", 0)) == sum(running.values())
    check_tenants(play, records)
    check_ends(play)
    check_flows(play, waiting)
    tickets = Counter(
        json.loads(base64.b64decode(json.loads(raw)["body"]))[0][1]
        for raw in redis.lrange("vision", 0, -1)
    )
    assert set(waiting) <= set(tickets), "each group that waits has a ticket"


def check_tenants(play: Play, records: list[JobRecord]) -> None:
    redis = play.redis
    for tenant in ("-", "ann", "bob"):
        mine = [r for r in records if r.status == "queued" and r.group.tenant == tenant]
        state = {k: int(v) for k, v in redis.hgetall(KEYS.tenant(tenant)).items()}
        lanes = Counter(b"vision/2" if r.group.is_bulk else b"vision/1" for r in mine)
        assert Counter({k: v for k, v in state.items() if k != b"bytes"}) == lanes
        if tenant != "-":
            sizes = [int(redis.hget(KEYS.job(r.id), "bytes") or 0) for r in mine]
            assert state.get(b"bytes", 0) == sum(sizes)


def check_ends(play: Play) -> None:
    """Each end is counted once by its model, whoever ended the job."""
    totals = play.redis.hgetall(KEYS.totals)
    models = sorted({(group.model, group.version) for group in GROUPS})
    counts = play.queue.run(model_counts(models, play.settings)).values()
    ends: Counter[str] = Counter(succeeded=sum(each.succeeded for each in counts))
    for each in counts:
        for (state, error_type), times in each.ended.items():
            ends[state] += times
            assert error_type == ("worker_lost" if state == "failed" else "")
    for state in ("succeeded", "failed", "canceled"):
        assert int(totals.get(state.encode(), 0)) == ends[state]
    assert int(totals.get(b"dead_lettered", 0)) == ends["failed"]
    device_us = sum(each.device_us for each in counts)
    tenants = play.queue.run(fleet_counts(play.settings)).tenant_device_us
    assert sum(tenants.values()) == pytest.approx(device_us, rel=1e-6)


def check_flows(play: Play, waiting: Counter[str]) -> None:
    redis = play.redis
    found = {
        member.decode()
        for flow in redis.zrange(KEYS.flows("vision"), 0, -1)
        for member in redis.zrange(KEYS.flow("vision", flow.decode()), 0, -1)
    }
    assert found == set(waiting), "just the groups that wait have a turn"
    for flows in (KEYS.flows("vision"), KEYS.idle("vision")):
        assert all(score >= 0 for _, score in redis.zrange(flows, 0, -1, withscores=True))
    seconds, microseconds = redis.time()
    within_2_s = (seconds + 2) * 1000 + microseconds / 1000
    due = {member.decode() for member in redis.zrangebyscore(KEYS.groups, 0, within_2_s)}
    assert set(waiting) <= due, "a keeper looks at each group that waits, and soon"


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 30))]
)
def test_any_sequence_keeps_the_books(
    queue: Queue, settings: JobsSettings, new_job: Make, seed: int
) -> None:
    play = Play(queue, settings, new_job, seed)
    for number in range(400):
        play.step()
        if number % 10 == 0:
            check(play)
    _drain(play)
    check(play)
    left = {record.status for record in play.records()}
    assert left <= {"succeeded", "canceled", "failed"}
    assert "succeeded" in left


def _drain(play: Play) -> None:
    """All workers die, others come: tickets alone must bring every job to its end."""
    for worker in WORKERS:
        play.held[worker].clear()
        reaped = play.queue.run(reap(worker, play.settings, gone=True))
        play.queue.run(reissue(reaped.groups, play.settings, at_once=True))
    while play.redis.llen("vision"):
        play.serve()
        while any(play.held.values()):
            play.end()


def test_nothing_is_left_of_jobs_that_are_over(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    play = Play(queue, settings, new_job, seed=9)
    for _ in range(300):
        play.step()
    _drain(play)
    redis = play.redis
    for worker in WORKERS:  # whoever has claimed is known, until a keeper sees that it is gone
        assert redis.sismember(KEYS.workers, worker)
        queue.run(reap(worker, settings))
    kept = {key.decode().split(":")[1] for key in redis.keys("wherry:*")}
    counters = {"group", "groups", "totals", "stats", "took", "pace", "index", "ends", "tenants"}
    assert kept <= {"job", "dead", "pay"} | counters
    dead = {item.decode() for item in redis.zrange(KEYS.dead, 0, -1)}
    for job_id in play.ids:
        assert (redis.ttl(KEYS.job(job_id)) > 0) == (job_id not in dead)
    payloads = {redis.hget(KEYS.job(job_id), "payload_key") for job_id in dead}
    assert set(redis.keys("wherry:pay:*")) == payloads
    for key in redis.keys("wherry:job:*"):  # as if their time were over
        redis.delete(key)
    for group in GROUPS:
        if redis.exists(KEYS.group(group.id)):
            redis.hset(KEYS.group(group.id), "stamp", 1)
            redis.zadd(KEYS.groups, {group.id: 1})
    for _ in range(20):
        queue.run(sweep(settings))
    assert {key.decode().split(":")[1] for key in redis.keys("wherry:*")} <= {
        "totals",
        "stats",
        "ends",
        "tenants",
        "took",
        "pace",
        "pay",
        "dead",
    }


def test_a_sweep_reaches_every_one_of_thousands_of_groups(
    queue: Queue, settings: JobsSettings, new_job: Make
) -> None:
    groups = [replace(GROUPS[0], digest=f"d{number}") for number in range(700)]
    pipe = queue.redis.pipeline()
    for number, group in enumerate(groups):
        queue.run(submit(new_job(group=group), settings))
        pipe.hset(KEYS.group(group.id), "stamp", 1)
        pipe.zadd(KEYS.groups, {group.id: number})
    pipe.execute()
    pages = [queue.run(sweep(settings)) for _ in range(3)]
    assert [group for page in pages for group in page] == groups, "the oldest first, each once"
    assert [len(page) for page in pages] == [500, 200, 0], "a page at a time"
