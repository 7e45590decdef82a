"""What goes where when families have a Redis of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.jobs import Group, JobsSettings, NewJob, Queue
from wherry.jobs import family_redis as families
from wherry.jobs.async_queue import Replicas
from wherry.jobs.facts import read_facts, tell_facts
from wherry.jobs.failed import ALL, ask_load, load_requests
from wherry.jobs.fleet import heartbeat, view
from wherry.jobs.fleet_queue import BlockingFleetQueue, open_async, open_blocking
from wherry.jobs.history import SERIES, HistoryPoint, of_one_fleet
from wherry.jobs.orphans import SharedStoreError, Sweeper, redis_name
from wherry.jobs.pages import Listed, ListPage, merged, split
from wherry.jobs.read import read
from wherry.jobs.recover import cancel
from wherry.jobs.settings import SettingsError, from_environment
from wherry.jobs.stores import FolderStore
from wherry.jobs.submit import submit
from wherry.protocol.errors import (
    InvalidRequest,
    JobNotFound,
    NotFound,
    NotReplicated,
    Unavailable,
)

from ..support.redis_servers import RedisServers, redis_servers

TEXT, VISION = Group("text", "sentiment", "1"), Group("vision", "digits", "1")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    with redis_servers(tmp_path_factory.mktemp("servers"), "text", sweep_age_s=60) as found:
        yield found


@pytest.fixture
def whole(servers: RedisServers) -> Iterator[Queue]:
    servers.flush()
    queue = open_blocking(servers.settings)
    yield queue
    queue.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("text=redis://a/0", {"text": "redis://a/0"}),
        (
            "text=redis://:a,b=c@a/0, vision=rediss://b:1/2\taudio=redis://a/0",
            {"text": "redis://:a,b=c@a/0", "vision": "rediss://b:1/2", "audio": "redis://a/0"},
        ),
        (
            "text=sentinel://:x@a:26379,b:26379/mymaster/0,vision=redis://b/0",
            {"text": "sentinel://:x@a:26379,b:26379/mymaster/0", "vision": "redis://b/0"},
        ),
    ],
)
def test_the_setting_names_a_redis_a_family(text: str, found: dict[str, str]) -> None:
    assert JobsSettings(family_redis=text).own_redis == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("text", "expected family="),
        ("text=a", "expected family="),
        ("redis://a/0", "expected family="),
        ("text=redis://a/0;vision=redis://b/0", "expected family="),
        ("words=redis://a/0", "is no family"),
        ("text=redis://a/0,text=redis://b/0", "twice"),
        ("text=http://:secret@a/0", "the URL of text cannot be read"),
        ("text=redis://127.0.0.1:6379/0", "leave that family out"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_without_its_passwords(
    text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_FAMILY_REDIS", text)
    with pytest.raises(SettingsError, match=why) as refused:
        from_environment(JobsSettings)
    assert "WHERRY_FAMILY_REDIS" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_no_password_is_shown() -> None:
    assert "hushed" not in repr(JobsSettings(family_redis="text=redis://:hushed@a/0"))


def test_a_worker_is_on_one_redis() -> None:
    settings = JobsSettings(
        redis_url="redis://home/0", family_redis="text=redis://a/0,audio=redis://a/0"
    )
    for served, url in (
        (["text", "audio"], "redis://a/0"),
        (["vision", "multimodal"], "redis://home/0"),
    ):
        assert settings.serving(served).redis_url == url
        assert not settings.serving(served).own_redis
    with pytest.raises(SettingsError, match="audio, text and vision are on different Redis"):
        settings.serving(["text", "vision", "audio"])
    assert families.by_url(settings.own_redis) == {"redis://a/0": ("audio", "text")}


def test_a_jobs_steps_find_it(
    whole: Queue, servers: RedisServers, new_job: Callable[..., NewJob]
) -> None:
    text, vision = new_job(group=TEXT), new_job(group=VISION)
    for job in (text, vision):
        assert whole.run(submit(job, servers.settings)).created
    assert servers.keys("text", f"wherry:job:{text.id}")
    assert servers.keys("home", f"wherry:job:{vision.id}")
    found = whole.run(read([vision.id, "nobody", text.id], servers.settings))
    assert [record.id if record else None for record in found] == [vision.id, None, text.id]
    for job in (text, vision):
        assert whole.run(cancel(job.id, servers.settings)) == "queued"
    with pytest.raises(JobNotFound):
        whole.run(cancel("nobody", servers.settings))


def test_asyncio_finds_as_threads_do(
    whole: Queue, servers: RedisServers, new_job: Callable[..., NewJob]
) -> None:
    async def look() -> None:
        queue = open_async(servers.settings)
        jobs = [new_job(group=group) for group in (TEXT, VISION) * 2]
        for job in jobs:
            await queue.run(submit(job, servers.settings))
        for _ in range(2):  # the second time it is known where they are
            found = await queue.run(read([job.id for job in jobs], servers.settings))
            assert [record and record.id for record in found] == [job.id for job in jobs]
            for job in jobs:
                [one] = await queue.run(read([job.id], servers.settings))
                assert one is not None
        await queue.close()

    asyncio.run(look())


def test_one_whose_replicas_are_late_is_not_away(
    whole: Queue,
    servers: RedisServers,
    new_job: Callable[..., NewJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wherry.jobs.fleet_queue._PATIENCE_S", 0.2)
    job = new_job(group=TEXT)
    whole.run(submit(job, servers.settings))

    async def look() -> None:
        queue = open_async(servers.settings, Replicas(1, 0.5))  # there are none
        with pytest.raises(NotReplicated):
            await queue.run(cancel(job.id, servers.settings))
        assert not queue.away_families
        assert (await queue.run(read([job.id], servers.settings)))[0] is not None
        await queue.close()

    asyncio.run(look())


def test_the_fleet_is_seen_whole(whole: Queue, servers: RedisServers) -> None:
    for name, family in (("home", "vision"), ("text", "text")):
        one = Queue(servers.servers[name].url)
        one.run(heartbeat(family, {"families": [family]}, servers.settings))
        one.run(tell_facts(f"{family}/m/1", {"dtype": name}, servers.settings))
        one.close()
    assert {worker.id for worker in whole.run(view(servers.settings)).workers} == {"text", "vision"}
    facts = whole.run(read_facts(servers.settings))
    assert {name: each["dtype"] for name, each in facts.items()} == {
        "vision/m/1": "home",
        "text/m/1": "text",
    }


def test_a_load_is_asked_for_by_one_number(whole: Queue, servers: RedisServers) -> None:
    asked = whole.run(ask_load(ALL, servers.settings))
    for server in servers.servers.values():
        one = Queue(server.url)
        assert one.run(load_requests(servers.settings)) == {ALL: asked}
        one.close()


def test_what_may_be_on_a_redis_that_is_away_is_not_said_to_be_nowhere(
    servers: RedisServers, new_job: Callable[..., NewJob]
) -> None:
    away = servers.settings.model_copy(update={"own_redis": {"text": "redis://127.0.0.1:1/0"}})
    queue = BlockingFleetQueue(away)
    job = new_job(group=VISION)
    queue.run(submit(job, servers.settings))
    assert queue.run(cancel(job.id, servers.settings)) == "queued"
    with pytest.raises(Unavailable, match="the Redis of text cannot be reached"):
        queue.run(read([job.id, "nobody"], servers.settings))
    assert queue.run(view(servers.settings)).away == {"text"}
    queue.close()


class TestSweeps:
    """A store that all share: what a job of any Redis refers to stays."""

    def test_a_blob_of_any_redis_stays(
        self,
        whole: Queue,
        servers: RedisServers,
        new_job: Callable[..., NewJob],
        tmp_path: Path,
    ) -> None:
        store, refs = FolderStore(tmp_path), []
        for group in (TEXT, VISION):
            job = new_job(group=group)
            refs.append(store.put(f"payload/{job.id}/f/1", b"x"))
            job = new_job(group=group, id=job.id, payload_ref=refs[-1])
            whole.run(submit(job, servers.settings))
        gone = store.put("payload/nobody/f/1", b"x")
        old = servers.settings.model_copy(update={"sweep_age_s": -1})
        assert Sweeper(whole, store, old).sweep().removed == 1
        assert [store.get(ref) for ref in refs] == [b"x", b"x"]
        with pytest.raises(NotFound):
            store.get(gone)

    def test_who_knows_but_one_redis_sweeps_nothing(
        self, whole: Queue, servers: RedisServers, tmp_path: Path
    ) -> None:
        store = FolderStore(tmp_path)
        Sweeper(whole, store, servers.settings).sweep()
        for server in servers.servers.values():
            one = Queue(server.url)
            with pytest.raises(SharedStoreError, match="WHERRY_FAMILY_REDIS"):
                Sweeper(one, store, servers.settings).sweep()
            one.close()

    def test_nothing_is_swept_while_one_is_away(
        self, servers: RedisServers, tmp_path: Path
    ) -> None:
        away = servers.settings.model_copy(update={"own_redis": {"text": "redis://127.0.0.1:1/0"}})
        queue = BlockingFleetQueue(away)
        with pytest.raises(Unavailable):
            Sweeper(queue, FolderStore(tmp_path), away).sweep()
        queue.close()

    def test_each_redis_has_a_name(self, whole: Queue, servers: RedisServers) -> None:
        home, own = (one.run(redis_name(servers.settings)) for one in whole.parts)
        again = Queue(servers.servers["home"].url.replace("127.0.0.1", "localhost"))
        assert again.run(redis_name(servers.settings)) == home != own
        again.close()


@settings(max_examples=40)
@given(
    lists=st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=2, max_size=3),
    limit=st.integers(1, 5),
    look=st.integers(1, 4),
)
def test_pages_tell_each_entry_once_and_in_order(
    lists: list[list[int]], limit: int, look: int
) -> None:
    """`look` entries are what one Redis looks at in a call, as list.lua does."""
    kept = [
        [Listed(f"{at}-{n}", ms, str(n)) for n, ms in enumerate(sorted(times, reverse=True))]
        for at, times in enumerate(lists)
    ]
    seen: list[str] = []
    after = ""
    for _ in range(200):
        cursors = split(after, len(kept))
        parts = [
            _page(entries, cursor, limit, look)
            for entries, cursor in zip(kept, cursors, strict=True)
        ]
        ids, after = merged(parts, cursors, limit)
        assert len(ids) <= limit
        seen += ids
        if not after:
            break
    times = {entry.id: entry.at_ms for entries in kept for entry in entries}
    assert sorted(seen) == sorted(times)
    assert [times[i] for i in seen] == sorted(times.values(), reverse=True)


def _page(entries: list[Listed], cursor: str, limit: int, look: int) -> ListPage:
    if cursor == "-":
        return ListPage((), "")
    first = int(cursor) + 1 if cursor else 0
    shown = entries[first : first + min(limit, look)]
    more = first + len(shown) < len(entries)
    return ListPage(shown, shown[-1].cursor if more and shown else "")


def test_anothers_cursor_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        split("1|2", 3)


def test_what_is_away_is_passed_over_and_asked_again() -> None:
    ids, following = merged([None, ListPage([Listed("b", 1, "7")], "7")], ["9", ""], 5)
    assert ids == ["b"]
    assert split(following, 2) == ["9", "7"]
    assert merged([None, ListPage([], "")], ["9", "7"], 5) == ([], "")


def test_one_history_is_made_of_several() -> None:
    def point(at_ms: int, **values: int) -> HistoryPoint:
        return HistoryPoint(f"{at_ms}-0", values, {3: 1})

    series = SERIES[0]
    home = [point(10_000, for_ms=10_000, succeeded=5, workers=1, busy_permille=500, oldest_ms=7)]
    own = [
        point(12_000, for_ms=9_000, succeeded=7, workers=3, busy_permille=900, oldest_ms=9),
        point(22_000, for_ms=10_000, succeeded=1, workers=3, busy_permille=0, oldest_ms=0),
    ]
    first, second = of_one_fleet(series, [home, own])
    assert first.values == {
        "for_ms": 10_000,
        "succeeded": 12,
        "workers": 4,
        "busy_permille": 800,
        "oldest_ms": 9,
    }
    assert (first.took, second.values["succeeded"]) == ({3: 2}, 1)
    assert of_one_fleet(series, [home]) == tuple(home)
