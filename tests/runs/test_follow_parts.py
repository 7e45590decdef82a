"""What a followed run has seen, and which of its shards are put together."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from wherry.client.annotate.sources.files import FileVersion
from wherry.client.annotate.sources.watched import WatchedFile, version_id
from wherry.jobs.run_records import RunOutput, Shard
from wherry.jobs.stores import FolderStore
from wherry.protocol.errors import InvalidRequest
from wherry.runs.fold import TOGETHER, foldable
from wherry.runs.seen import SeenFile, SeenFiles


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "blobs")


def found(files: dict[str, str]) -> Iterable[WatchedFile]:
    return [WatchedFile(path, FileVersion(tag)) for path, tag in sorted(files.items())]


def test_what_was_seen_is_told_from_what_is_new_whoever_looks(
    store: FolderStore, tmp_path: Path
) -> None:
    chance = random.Random(7)
    there: dict[str, str] = {}
    times: dict[str, int] = {}
    seen = SeenFiles("run_1", [], store, tmp_path / "a")
    for turn in range(60):
        changed = {f"{chance.randrange(300):03}\udc80é.png": f"tag {turn}" for _ in range(9)}
        there |= changed
        new = list(seen.unseen(found(there)))
        assert {file.path: file.version.tag for file, _ in new} == changed
        for file, count in new:
            times[file.path] = times.get(file.path, 0) + 1
            assert count == times[file.path]
        seen.add([SeenFile(f.path, f.version.tag, count) for f, count in new], f"{turn}")
        for name in seen.stale:
            seen.forget(name)
        # Another process, which has nothing but what the store has.
        seen = SeenFiles("run_1", seen.pieces, store, tmp_path / f"{turn % 2}")
    assert len(seen.pieces) < 8, "there are few, however often something came"
    assert sum(piece.files for piece in seen.pieces) < 2 * len(there)
    assert {blob.key for blob in store.blobs("run/run_1/")} == {
        f"run/run_1/seen/{piece.name}" for piece in seen.pieces
    }


def test_a_place_without_an_order_is_refused(store: FolderStore, tmp_path: Path) -> None:
    seen = SeenFiles("run_1", [], store, tmp_path)
    files = [WatchedFile(path, FileVersion("1")) for path in ("b", "a")]
    with pytest.raises(InvalidRequest, match="no order"):
        list(seen.unseen(files))


def test_no_two_rows_are_called_alike() -> None:
    paths = ["a", "a@1", "a@2", "a@2@1", "a@x", "@3", "a@"]
    called = [version_id(path, times) for path in paths for times in (1, 2, 3)]
    assert len(set(called)) == len(called)
    assert version_id("a.jpg", 1) == "a.jpg"
    assert version_id("a.jpg", 2) == "a.jpg@2"


def folded(count: int, most_rows: int, rows: int = 1) -> list[Shard]:
    """The shards of a run to which so many came, one at a time."""
    shards: list[Shard] = []
    for number in range(count):
        shards.append(Shard(number=number, state="done", rows=rows, piece=RunOutput()))
        for group in foldable(shards, most_rows):
            at = shards.index(group[0])
            one = group[0].model_copy(
                update={"rows": sum(s.rows for s in group), "folds": group[0].folds + 1}
            )
            shards[at : at + len(group)] = [one]
    return shards


@pytest.mark.parametrize("rows", [1, 3, 70])
def test_shards_stay_few_however_many_come(rows: int) -> None:
    shards = folded(5000, 2000, rows)
    assert sum(shard.rows for shard in shards) == 5000 * rows
    assert max(shard.rows for shard in shards) <= 2000
    assert len(shards) <= 5000 * rows / (2000 / 8) + 3 * TOGETHER
    assert max(shard.folds for shard in shards) <= 3, "each row is written a few times in all"


def test_many_at_once_are_put_together_some_at_a_time() -> None:
    shards = [Shard(number=n, state="done", rows=1, piece=RunOutput()) for n in range(1000)]
    sizes = [len(group) for group in foldable(shards, 20_000)]
    assert (sum(sizes), max(sizes)) == (1000, 128)


def test_what_is_not_done_is_no_part_of_it_nor_what_comes_behind() -> None:
    shards = [Shard(number=n, state="done", rows=1, piece=RunOutput()) for n in range(80)]
    shards[40].state = "waiting"
    [group] = foldable(shards, 2000)
    assert [shard.number for shard in group] == list(range(40))
