"""What a run's shards tell beside answers: drift, why rows failed, pictures that look alike.

Its calls read the store: make them in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ..tasks.annotations.drift import drift_view, drifts
from ..tasks.annotations.near_duplicates import SeenPictures, near_duplicates, near_view
from ..tasks.annotations.reasons import FailureReasons
from ..tasks.annotations.stretches import Stretches, stretches_view
from .run_blobs import quality_key
from .run_records import Run, Shard
from .run_rows import PlacedRow, Sheets
from .stores import Store

#: Kinds of what is told of a shard.
QUALITY, SEEN, REPORT = "quality", "seen", "report"


class NearRows(NamedTuple):
    """Pictures that look alike, as `near_view` tells, and the rows that it names."""

    told: dict[str, Any]
    rows: dict[int, PlacedRow]


def quality_of_shard(stretches: Stretches, reasons: FailureReasons) -> bytes:
    """What is stored of one shard."""
    return to_json({"stretches": stretches.as_json(), "reasons": reasons.as_json()})


def quality_of_shards(store: Store, run_id: str, shards: Sequence[Shard]) -> dict[str, bytes]:
    """What is stored of shards that are one from now on, by kind. Their rows follow each other."""
    stretches, reasons, seen = Stretches(), FailureReasons(), SeenPictures()

    def told(shard: Shard, kind: str) -> bytes:
        return store.get(store.ref(quality_key(run_id, shard.number, shard.sheet, kind)))

    for shard in shards:
        if shard.tells(QUALITY):
            counted = from_json(told(shard, QUALITY))
            stretches.add(Stretches.of_json(counted["stretches"]))
            reasons.join(FailureReasons.of_json(counted["reasons"]))
        if shard.tells(SEEN):
            seen.add(SeenPictures(told(shard, SEEN)))
    found = {}
    if any(shard.tells(QUALITY) for shard in shards):
        found[QUALITY] = quality_of_shard(stretches, reasons)
    if len(seen):
        found[SEEN] = bytes(seen)
    return found


class Quality:
    """That of one run, as far as its shards are done."""

    def __init__(self, store: Store, run: Run, shards: Sequence[Shard]) -> None:
        self._store, self._run_id = store, run.spec.id
        self._shards = [shard for shard in shards if shard.state == "done"]
        self._sheets = Sheets(store, run, shards)

    def counted(self) -> dict[str, Any]:
        """Stretches with what differs in them, and why rows failed."""
        stretches, reasons = Stretches(), FailureReasons()
        for shard in self._shards:
            if shard.tells(QUALITY):
                told = from_json(self._get(shard, QUALITY))
                stretches.add(Stretches.of_json(told["stretches"]), shard.moved)
                reasons.join(FailureReasons.of_json(told["reasons"]))
        return {
            "stretches": stretches_view(stretches),
            "drift": drift_view(drifts(stretches)),
            "failures": reasons.as_json(),
        }

    def near(
        self, check: Callable[[], None] = lambda: None, *, most: int | None = None
    ) -> NearRows | None:
        """Pictures that look alike, among the first `most` or so; None where none was looked at."""
        pictures = SeenPictures()
        for shard in self._shards:
            if most is not None and len(pictures) >= most:
                break
            if shard.tells(SEEN):
                check()
                pictures.add(SeenPictures(self._get(shard, SEEN)), shard.moved)
        if not len(pictures):
            return None
        found = near_duplicates(pictures.table, check=check)
        wanted = {at for group in found.listed for at in group.positions}
        rows = self._sheets.of_indexes(wanted)
        ids = {at: str(placed.row["id"]) for at, placed in rows.items()}
        return NearRows(near_view(found, ids), rows)

    def named(self, told: dict[str, Any]) -> NearRows:
        """What was found at the end, with the rows that it names."""
        wanted = {row["index"] for group in told["listed"] for row in group["rows"]}
        return NearRows(told, self._sheets.of_indexes(wanted))

    def report(self) -> bytes | None:
        """A page about the rows that were answered before the run was held; None without one."""
        for shard in self._shards:
            if shard.tells(REPORT):
                return self._get(shard, REPORT)
        return None

    def _get(self, shard: Shard, kind: str) -> bytes:
        return self._store.get(
            self._store.ref(quality_key(self._run_id, shard.number, shard.sheet, kind))
        )
