"""A failover by command: what it is refused for, that it is told again, what a plain one loses."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from wherry.jobs import AsyncQueue, JobsSettings, NewJob, Queue
from wherry.jobs.async_queue import Replicas
from wherry.jobs.hand_over import FailoverRefusedError, _Change, hand_over, refusal
from wherry.jobs.read import read
from wherry.jobs.submit import submit
from wherry.protocol.errors import NotReplicated, Unavailable

from ..support.sentinels import MASTER, FailingOver, Server
from ..support.waiting import until

_numbers = itertools.count()

_USER = ("ACL", "SETUSER", "default")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingOver]:
    folder = tmp_path_factory.mktemp("cluster")
    with FailingOver(folder, replicas=2, down_after_ms=2000) as cluster:
        yield cluster


@pytest.fixture
def in_step(cluster: FailingOver) -> FailingOver:
    until(cluster.in_step)
    until(lambda: all(map(_has_asked, cluster.sentinels)))
    until(lambda: len({each.named_port() for each in cluster.sentinels}) == 1)
    return cluster


def _has_asked(sentinel: Server) -> bool:
    """Whether a sentinel has asked all replicas, as it has to after a failover."""
    replicas: Any = sentinel.client.sentinel_slaves(MASTER)
    return len(replicas) == 2 and all(
        int(each["info-refresh"]) and each["master-link-status"] == "ok" for each in replicas
    )


def _switches(cluster: FailingOver) -> set[int]:
    """How many changes of the primary each sentinel has seen."""
    return {each.said().count("+switch-master") for each in cluster.sentinels}


def job_of(new_job: Callable[..., NewJob]) -> NewJob:
    return new_job(id=f"told-{next(_numbers)}")


def test_what_has_no_sentinels_is_refused(redis_url: str) -> None:
    with pytest.raises(FailoverRefusedError, match="names no sentinels"):
        hand_over(redis_url)


def test_hasty_sentinels_are_refused(in_step: FailingOver) -> None:
    primary = in_step.primary
    in_step.sentinels[1].client.sentinel_set(MASTER, "down-after-milliseconds", 1000)
    try:
        with pytest.raises(FailoverRefusedError, match="down after 1000 ms"):
            hand_over(in_step.url)
    finally:
        in_step.sentinels[1].client.sentinel_set(MASTER, "down-after-milliseconds", 2000)
    assert in_step.primary is primary


def test_a_minority_of_sentinels_is_refused(in_step: FailingOver) -> None:
    alone = f"sentinel://127.0.0.1:{in_step.sentinels[0].port},127.0.0.1:1/{MASTER}/0"
    with pytest.raises(FailoverRefusedError, match="1 of 2 sentinels answer"):
        hand_over(alone)


def test_a_primary_that_lets_us_not_in_is_left_as_it_is(in_step: FailingOver) -> None:
    primary = in_step.primary
    with pytest.raises(FailoverRefusedError, match=f"127.0.0.1:{primary.port} does not say"):
        hand_over(in_step.url.replace("sentinel://", "sentinel://nobody:wrong@"))
    assert in_step.primary is primary


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("wrong number of arguments for 'sentinel|failover' command", "WHERRY_MIN_REPLICAS"),
        ("NOGOODSLAVE No suitable replica to promote", "no replica can take over"),
        ("NOGOODPRIMARY Primary does not support FAILOVER command", "Valkey 9.0"),
        ("NOAUTH Authentication required.", "NOAUTH"),
    ],
)
def test_what_sentinels_refuse_is_told_with_a_remedy(said: str, told: str) -> None:
    assert told in refusal(said)


def test_a_sentinel_that_is_not_elected_leaves_it_to_the_next(in_step: FailingOver) -> None:
    """It gives up without a word, and nothing has been handed over."""
    before, told, others = in_step.primary, in_step.sentinels[0], in_step.sentinels[1:]
    for each in others:
        each.client.execute_command(*_USER, "-sentinel|is-master-down-by-addr")
    try:
        done = hand_over(in_step.url)
    finally:
        for each in others:
            each.client.execute_command(*_USER, "+@all")
    assert "-failover-abort-not-elected" in told.said()
    assert (done.before, done.following) == (f"127.0.0.1:{before.port}", 2)
    assert in_step.promoted(before).role == "master"


def test_two_at_once_hand_over_once(in_step: FailingOver) -> None:
    """Who comes second finds it under way, or done: nobody hands over again, back to the first."""
    before, url = in_step.primary, in_step.url
    hosts, name = url.removeprefix("sentinel://").split("/", 1)
    another = "sentinel://" + ",".join(reversed(hosts.split(","))) + f"/{name}"
    known = _switches(in_step)
    begun = threading.Barrier(3)

    class Together(_Change):
        def begin(self) -> str:
            found = super().begin()
            begun.wait(30)
            return found

    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor() as threads:
        patched.setattr("wherry.jobs.hand_over._Change", Together)
        found = [threads.submit(hand_over, each) for each in (url, url, another)]
        done = {each.result() for each in found}
    promoted = in_step.promoted(before)
    assert {each.after for each in done} == {f"127.0.0.1:{promoted.port}"}
    assert {each.following for each in done} == {2}
    assert _switches(in_step) == {each + 1 for each in known}


def test_a_replica_that_is_gone_is_not_waited_for(in_step: FailingOver) -> None:
    """Sentinels never forget one."""
    before = in_step.primary
    gone = next(each for each in in_step.servers if each is not before)
    gone.kill()
    try:
        until(lambda: before.info("replication")["connected_slaves"] == 1)
        done = hand_over(in_step.url)
    finally:
        gone.start()
        gone.client.replicaof("127.0.0.1", str(in_step.primary.port))
    assert (done.following, done.replicas) == (1, 1)


def test_a_sentinel_that_is_gone_is_not_told_twice(
    in_step: FailingOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answered before, and the others go on."""
    before, gone = in_step.primary, in_step.sentinels[0]
    begin = _Change.begin

    def begun(change: _Change) -> str:
        found = begin(change)
        gone.kill()
        return found

    monkeypatch.setattr(_Change, "begin", begun)
    try:
        done = hand_over(in_step.url, patience_s=30)
    finally:
        gone.start()
    assert (done.before, done.following) == (f"127.0.0.1:{before.port}", 2)


async def _accepted(url: str, replicas: Replicas, job: NewJob) -> str:
    queue = AsyncQueue(url, socket_timeout_s=1.0, replicas=replicas)
    try:
        return (await queue.run(submit(job, JobsSettings(redis_url=url)))).id
    finally:
        await queue.close()


def _has(server: Server, job_id: str) -> bool:
    queue = Queue(server.url)
    try:
        return queue.run(read([job_id], JobsSettings(redis_url=server.url))) != [None]
    finally:
        queue.close()


def test_a_plain_failover_loses_what_only_the_other_replica_has(
    tmp_path: Path, new_job: Callable[..., NewJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between its first step, that one replica is promoted, and what comes of it."""
    monkeypatch.setattr("wherry.jobs.async_queue._TURN_S", 0.5)
    with FailingOver(tmp_path / "cluster", replicas=2) as cluster:
        for each in cluster.sentinels:
            each.kill()
        primary, promoted, other = cluster.servers
        promoted.client.replicaof("NO", "ONE")
        # Who asks for one of two is told yes, by the replica that still follows the last primary.
        lost = asyncio.run(_accepted(primary.url, Replicas(1, 1.0), job_of(new_job)))
        assert _has(other, lost)
        assert not _has(promoted, lost)
        with pytest.raises(NotReplicated):
            asyncio.run(_accepted(primary.url, Replicas(2, 0.2), job_of(new_job)))
        for each in (primary, other):
            each.client.replicaof("127.0.0.1", str(promoted.port))
        until(cluster.in_step)
        assert not _has(other, lost)


@pytest.mark.slow
def test_what_all_of_two_have_outlives_a_plain_failover(
    in_step: FailingOver, new_job: Callable[..., NewJob]
) -> None:
    settings, before = JobsSettings(redis_url=in_step.url), in_step.primary

    async def play() -> None:
        queue = AsyncQueue(in_step.url, socket_timeout_s=1.0, replicas=Replicas(2, 0.2))
        kept = list[str]()

        async def submit_one() -> None:
            with contextlib.suppress(Unavailable):
                kept.append((await queue.run(submit(job_of(new_job), settings))).id)

        try:
            await submit_one()
            in_step.sentinels[0].client.sentinel_failover(MASTER)
            promoted = asyncio.create_task(asyncio.to_thread(in_step.promoted, before))
            while not promoted.done():
                await submit_one()
            await asyncio.to_thread(in_step.demote_the_others)
            known = len(kept)
            while len(kept) == known:
                await submit_one()
            assert None not in await queue.run(read(kept, settings))
        finally:
            await queue.close()

    asyncio.run(play())
