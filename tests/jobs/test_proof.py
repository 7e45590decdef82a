"""The mark in the blob store that shows that processes are of one fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.keys import Keys
from wherry.jobs.orphans import Sweeper
from wherry.jobs.proof import is_in, leave, set_proof, shown, write
from wherry.jobs.stores import FolderStore, S3Store, Store, open_store

PREFIX = "proved"
KEYS = Keys(PREFIX)


@pytest.fixture
def settings(settings: JobsSettings) -> JobsSettings:
    """Keys that nobody else writes: an API of other tests may live beside."""
    return settings.model_copy(update={"key_prefix": PREFIX})


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "blobs")
    return open_store(request.getfixturevalue("s3"))


def test_a_mark_is_found_in_its_store_alone(store: Store, tmp_path: Path) -> None:
    proof = write(store)
    assert proof.store == store.name
    assert is_in(store, proof)
    assert not is_in(FolderStore(tmp_path / "other"), proof)
    assert not is_in(store, write(FolderStore(tmp_path / "other")))


def test_another_prefix_of_a_bucket_reads_it_as_it_reads_payloads(s3: JobsSettings) -> None:
    proof = write(open_store(s3))
    assert is_in(S3Store("s3://wherry/elsewhere", s3), proof)


def test_a_sweep_leaves_no_mark_that_shows_another_store_as_right(
    queue: Queue, settings: JobsSettings, tmp_path: Path
) -> None:
    mine, other = FolderStore(tmp_path / "mine"), FolderStore(tmp_path / "other")
    proof = write(mine)
    for store in (mine, other):
        Sweeper(queue, store, settings).sweep()
    assert is_in(mine, proof)
    assert not is_in(other, proof)


def test_the_first_to_write_a_proof_down_wins(
    queue: Queue, settings: JobsSettings, tmp_path: Path
) -> None:
    first, second, third = (write(FolderStore(tmp_path / name)) for name in "abc")
    assert queue.run(set_proof(first, None, settings))
    assert not queue.run(set_proof(second, None, settings))
    assert queue.run(shown(settings)).proof == first
    assert queue.run(set_proof(third, first, settings))
    assert not queue.run(set_proof(second, first, settings))
    assert queue.run(shown(settings)).proof == third


def test_apis_live_while_they_say_so(queue: Queue, settings: JobsSettings) -> None:
    redis: Any = queue.redis
    assert queue.run(shown(settings)) == (None, {}, False, False, {})
    for api in ("a", "b", "c"):
        queue.run(shown(settings, api=api, tasks={"embedding/1": api}))
    assert set(queue.run(shown(settings)).apis) == {"a", "b", "c"}
    queue.run(leave("a", settings))
    redis.hset(KEYS.apis, "b", "1000 {}")
    assert queue.run(shown(settings)).apis == {"c": {"embedding/1": "c"}}
    assert redis.hkeys(KEYS.apis) == [b"c"], "who is gone is forgotten"
    assert 0 < redis.pttl(KEYS.apis) <= 20_000
