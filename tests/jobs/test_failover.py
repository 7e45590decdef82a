"""Steps over a Redis that fails over: what is sent while the primary dies, freezes, is demoted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis

from wherry.jobs import AsyncQueue, JobsSettings, NewJob, Queue
from wherry.jobs.async_queue import Replicas
from wherry.jobs.connection import close, connect
from wherry.jobs.keys import Keys
from wherry.jobs.read import read
from wherry.jobs.recover import requeue
from wherry.jobs.submit import submit
from wherry.protocol.errors import NotReplicated, Unavailable

from ..support.sentinels import MASTER, FailingOver, Server, stopped
from ..support.waiting import until

NewJobs = Callable[..., NewJob]

_numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingOver]:
    with FailingOver(
        tmp_path_factory.mktemp("cluster"),
        down_after_ms=500,
        password="pa;ss/w@rd",
        sentinel_password="wo&rd",
    ) as cluster:
        yield cluster


@pytest.fixture
def in_step(cluster: FailingOver) -> FailingOver:
    """The cluster, its servers all up and its replica as far as its primary."""
    until(lambda: cluster.primary.role == "master")
    cluster.demote_the_others()
    until(cluster.in_step)
    return cluster


@asynccontextmanager
async def opened(url: str, replicas: Replicas | None = None) -> AsyncIterator[AsyncQueue]:
    queue = AsyncQueue(url, socket_timeout_s=1.0, replicas=replicas)
    try:
        yield queue
    finally:
        await queue.close()


def job_of(new_job: NewJobs) -> NewJob:
    return new_job(id=f"failover-{next(_numbers)}")


def _has_dead(cluster: FailingOver, dead: str) -> bool:
    client = connect(cluster.primary.url)
    try:
        return bool(client.zcard(dead))
    finally:
        close(client)


def test_a_step_waits_for_the_next_primary(in_step: FailingOver, new_job: NewJobs) -> None:
    settings = JobsSettings(redis_url=in_step.url)
    queue, before = Queue(in_step.url), in_step.primary
    try:
        first = queue.run(submit(job_of(new_job), settings))
        until(in_step.in_step)
        before.kill()
        # The next primary knows no script of ours; who asks for what was stored finds it.
        second = queue.run(submit(job_of(new_job), settings))
        assert None not in queue.run(read([first.id, second.id], settings))
        assert in_step.promoted(before) is not before
    finally:
        queue.close()
        before.start()


def test_many_steps_wait_for_the_primary_after_a_frozen_one(
    in_step: FailingOver, new_job: NewJobs
) -> None:
    settings, before = JobsSettings(redis_url=in_step.url), in_step.primary

    async def play() -> list[str]:
        async with opened(in_step.url) as queue:
            await queue.run(submit(job_of(new_job), settings))
            with stopped(before):
                steps = [submit(job_of(new_job), settings) for _ in range(20)]
                stored = await asyncio.gather(*(queue.run(step) for step in steps))
                ids = [each.id for each in stored]
                assert None not in await queue.run(read(ids, settings))
            return ids

    assert len(set(asyncio.run(play()))) == 20
    assert in_step.promoted(before) is not before


def test_a_frozen_primary_that_wakes_takes_no_step_that_counts(
    in_step: FailingOver, new_job: NewJobs
) -> None:
    """Those that are still connected to it ask for a replica, and it has none any more."""
    settings, before = JobsSettings(redis_url=in_step.url), in_step.primary
    late = before.url

    async def play() -> None:
        async with opened(late, Replicas(1, 0.3)) as queue:
            await queue.run(submit(job_of(new_job), settings))
            with stopped(before):
                await asyncio.to_thread(in_step.promoted, before)
            with pytest.raises(Unavailable):
                await queue.run(submit(job_of(new_job), settings))

    asyncio.run(play())


def test_what_no_replica_has_is_told_and_sending_it_again_settles_it(
    in_step: FailingOver, new_job: NewJobs
) -> None:
    # No sentinel may say that another is the primary by now, which would be waited for.
    url = in_step.primary.url
    settings, job = JobsSettings(redis_url=url), job_of(new_job)
    [replica] = [each for each in in_step.servers if each is not in_step.primary]

    async def play() -> None:
        async with (
            opened(url, Replicas(1, 0.2)) as queue,
            opened(url, Replicas(1, 0.2)) as other,
        ):
            with stopped(replica):
                with pytest.raises(NotReplicated, match="0 of 1 replicas had it after 0.2 s"):
                    await queue.run(submit(job, settings))
                # Another API writes nothing for it, and must not think it safe by that.
                with pytest.raises(NotReplicated):
                    await other.run(submit(job, settings))
                # What promises nothing does not wait for replicas.
                [record] = await queue.run(read([job.id], settings))
                assert record is not None
            again = await other.run(submit(job, settings))
            assert (again.id, again.created) == (job.id, False)

    asyncio.run(play())


def test_what_is_done_once_is_not_told_done_before_where_replicas_lack_it(
    in_step: FailingOver, new_job: NewJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent again, as long as its server may turn out to be the primary no more."""
    monkeypatch.setattr("wherry.jobs.async_queue._TURN_S", 0.5)
    settings, job = JobsSettings(redis_url=in_step.url), job_of(new_job)
    [replica] = [each for each in in_step.servers if each is not in_step.primary]
    dead = Keys(settings.key_prefix).dead

    async def play() -> None:
        async with opened(in_step.url, Replicas(1, 0.2)) as queue:
            await queue.run(submit(job, settings))
            await queue.redis.zadd(dead, {job.id: 1})
            with stopped(replica), pytest.raises(NotReplicated):
                await queue.run(requeue(job.id, job.group, settings))
            await queue.redis.zadd(dead, {job.id: 1})
            with stopped(replica):
                asked = asyncio.create_task(queue.run(requeue(job.id, job.group, settings)))
                await asyncio.to_thread(until, lambda: not _has_dead(in_step, dead))
            assert await asked is True, "the replica came back in time"

    asyncio.run(play())


def test_connections_that_do_not_close_leave_nobody_waiting(
    in_step: FailingOver, new_job: NewJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one over TLS to a server that froze: redis-py gives up on it after some seconds."""
    settings, before = JobsSettings(redis_url=in_step.url), in_step.primary

    async def play() -> None:
        async with opened(in_step.url) as queue:
            await queue.run(submit(job_of(new_job), settings))

            async def disconnect(inuse_connections: bool = True) -> None:
                raise redis.TimeoutError("Timed out closing connection")

            with monkeypatch.context() as patch, stopped(before):
                patch.setattr(queue.redis.connection_pool, "disconnect", disconnect)
                async with asyncio.timeout(30):
                    stored = await queue.run(submit(job_of(new_job), settings))
            assert stored.created

    asyncio.run(play())


def test_who_is_connected_to_the_last_primary_is_broken_off(in_step: FailingOver) -> None:
    """It goes on as before, with who has not heard, until the sentinels make a replica of it."""
    before = in_step.primary
    client = connect(in_step.url, socket_timeout_s=60)
    held = client.connection_pool.get_connection()
    in_step.sentinels[0].client.sentinel_failover(MASTER)
    with pytest.raises(redis.ConnectionError):
        held.read_response()
    assert in_step.promoted(before) is not before
    client.connection_pool.release(held)
    assert client.ping()
    close(client)


@pytest.mark.slow
def test_what_all_replicas_have_outlives_a_failover_by_command(
    in_step: FailingOver, new_job: NewJobs
) -> None:
    """For ten seconds the last primary takes writes that are then thrown away."""
    settings, before = JobsSettings(redis_url=in_step.url), in_step.primary

    async def play() -> None:
        async with opened(in_step.url, Replicas(1, 0.2)) as queue:
            in_step.sentinels[0].client.sentinel_failover(MASTER)
            kept = list[str]()
            promoted = asyncio.create_task(asyncio.to_thread(in_step.promoted, before))
            while not promoted.done():
                with contextlib.suppress(Unavailable):
                    kept.append((await queue.run(submit(job_of(new_job), settings))).id)
            await asyncio.to_thread(in_step.demote_the_others)
            kept.append((await queue.run(submit(job_of(new_job), settings))).id)
            assert None not in await queue.run(read(kept, settings))

    asyncio.run(play())


def test_a_demoted_server_counts_as_away(in_step: FailingOver, new_job: NewJobs) -> None:
    """Behind an address that stays, as that of a managed Redis, it refuses until it is replaced."""
    [replica] = [each for each in in_step.servers if each is not in_step.primary]
    url = replica.url
    settings, queue = JobsSettings(redis_url=url), Queue(url)
    try:
        with pytest.raises(Unavailable):
            queue.run(submit(job_of(new_job), settings))
    finally:
        queue.close()

    async def play() -> None:
        async with opened(url) as queue:
            with pytest.raises(Unavailable):
                await queue.run(submit(job_of(new_job), settings))

    asyncio.run(play())


def test_writes_that_redis_refuses_for_want_of_replicas_are_refused_for_now(
    in_step: FailingOver, new_job: NewJobs
) -> None:
    primary = in_step.primary
    url = primary.url
    settings, queue = JobsSettings(redis_url=url), Queue(url)
    primary.client.config_set("min-replicas-to-write", 2)
    try:
        with pytest.raises(Unavailable):
            queue.run(submit(job_of(new_job), settings))
    finally:
        primary.client.config_set("min-replicas-to-write", 0)
        queue.close()


def test_a_server_that_is_no_primary_is_not_used_whatever_a_sentinel_says(
    in_step: FailingOver,
) -> None:
    """Sentinels may know late: one that names a replica is not believed."""
    [replica] = [each for each in in_step.servers if each is not in_step.primary]
    liar: Server = in_step.sentinels[0]
    liar.client.sentinel_monitor("wrong", "127.0.0.1", replica.port, 2)
    liar.client.sentinel_set("wrong", "auth-pass", "pa;ss/w@rd")
    try:
        login, _, host = in_step.url.partition("@")
        query = host.partition("?")[2]
        client = connect(f"{login}@127.0.0.1:{liar.port}/wrong/0?{query}")
        with pytest.raises(redis.ConnectionError, match="a failover is under way"):
            client.ping()
        close(client)
    finally:
        liar.client.sentinel_remove("wrong")
