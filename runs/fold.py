"""Small shards of a run that follows its source, put together: a run may go on for years.

What they came to stays as it was, byte for byte: their parts of the output are put one after
another, as the run's last step would.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic_core import to_json

from ..client.annotate.formats import Writer
from ..client.annotate.ledger import Ledger
from ..client.annotate.pieces import fold_pieces
from ..client.annotate.report import SAMPLED
from ..client.annotate.rows import Origin
from ..client.annotate.segments import SegmentTaker, rows_of, take_in_part
from ..jobs.call import Call, Queue
from ..jobs.follow_records import Replaced
from ..jobs.run_blobs import part_key, pictures_key, quality_key, shard_key, sheet_key
from ..jobs.run_follow import tell_fold
from ..jobs.run_quality import QUALITY, SEEN, quality_of_shards
from ..jobs.run_records import RunOutput, Shard, ShardCounts
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import StoreUnavailable
from .earlier import beginnings_of
from .hold import StepEnded, StepHold, StepLost
from .shard_files import FILES, packed_files, shard_files
from .sheet_fold import SheetFold
from .stored_pieces import ShardPiece, put_piece

#: Shards of one size that are put together, at least; fewer where there is no room for more rows;
#: and at most, for each is told of while it goes.
TOGETHER, _FEWEST, _MOST = 32, 8, 128

#: Seconds for which what was put together is there for whoever reads it.
_KEPT_S = 120.0


def foldable(shards: Sequence[Shard], most_rows: int) -> list[list[Shard]]:
    """Which shards are to be one: neighbours of one size, up to the first that is not done."""
    found: list[list[Shard]] = []
    group: list[Shard] = []

    def end(fewest: int) -> None:
        if len(group) >= fewest:
            found.append(list(group))
        group.clear()

    for shard in shards:
        if shard.state != "done" or shard.piece is None:
            break
        is_full = len(group) == _MOST or sum(s.rows for s in group) + shard.rows > most_rows
        if group and (is_full or shard.folds != group[0].folds):
            end(_FEWEST if is_full else TOGETHER)
        group.append(shard)
    end(TOGETHER)
    return found


class Fold:
    """Puts shards together, by who holds the run's step `follow`."""

    def __init__(
        self,
        hold: StepHold,
        queue: Queue,
        store: Store,
        jobs: JobsSettings,
        origin: Origin,
        writer: type[Writer],
    ) -> None:
        self._hold, self._queue, self._store, self._jobs = hold, queue, store, jobs
        self._run_id, self._origin, self._writer = hold.step.run_id, origin, writer

    def make_one(
        self, shards: Sequence[Shard], segments: Mapping[int, Sequence[str]], folder: Path
    ) -> list[Replaced]:
        """Put shards together; what is to go from the store when nobody reads it any more.

        Raises StepEnded, Unavailable.
        """
        number = shards[0].number
        name = f"f{self._hold.attempt}-{number}"
        with (
            TemporaryDirectory(dir=folder) as own,
            Ledger(Path(own) / "ledger") as ledger,
        ):
            ledger.begin(reuse=True)
            taker = SegmentTaker(ledger)
            sheet = self._gather(ledger, shards, segments)
            piece = self._piece(ledger, shards, Path(own), name)
            segment = taker.segment()
            told = quality_of_shards(self._store, self._run_id, shards)
            blobs = (
                *((quality_key(self._run_id, number, name, k), v) for k, v in told.items()),
                (shard_key(self._run_id, number, "rows", name), rows_of(ledger)),
                (shard_key(self._run_id, number, "keys", name), beginnings_of(ledger)),
                (shard_key(self._run_id, number, "segment", name), segment),
                (shard_key(self._run_id, number, FILES, name), self._files(shards)),
                (sheet_key(self._run_id, number, name), bytes(sheet.body)),
                (sheet_key(self._run_id, number, name) + ".index", to_json(sheet.index)),
                (pictures_key(self._run_id, number, name), bytes(sheet.pictures)),
            )
        one = _one(shards, name, piece, told, has_pictures=bool(sheet.pictures))
        numbers = [shard.number for shard in shards]
        call = tell_fold(self._hold.step, one, name if segment else "", numbers, self._jobs)
        try:
            self._put(blobs, call)
        except StepEnded:
            with suppress(StoreUnavailable):  # then it goes with the run
                forget(self._store, self._run_id, _replaced(one, [name]))
            raise
        return [_replaced(shard, segments.get(shard.number, ())) for shard in shards]

    def _put(self, blobs: Iterable[tuple[str, bytes]], call: Call[bool]) -> None:
        """Put what the one has in the store, then tell of it. Raises StepEnded: it is not told."""
        for key, body in blobs:
            self._hold.check()
            if body:
                self._store.put(key, body)
        if not self._queue.run(call):
            raise StepLost

    def _gather(
        self, ledger: Ledger, shards: Sequence[Shard], segments: Mapping[int, Sequence[str]]
    ) -> SheetFold:
        base, sheet = 0, SheetFold(self._store, self._run_id)
        for shard in shards:
            names = segments.get(shard.number, ())
            answers = (self._blob(shard, "segment", name) for name in names)
            rows = self._blob(shard, "rows", shard.rows_blob)
            base += take_in_part(ledger, answers, rows, base, SAMPLED)
            sheet.add(shard)
        sheet.end()
        return sheet

    def _blob(self, shard: Shard, kind: str, name: str) -> bytes:
        self._hold.check()
        key = shard_key(self._run_id, shard.number, kind, name)
        return self._store.get(self._store.ref(key))

    def _files(self, shards: Sequence[Shard]) -> bytes:
        return packed_files(
            file for shard in shards for file in shard_files(self._store, self._run_id, shard)
        )

    def _piece(self, ledger: Ledger, shards: Sequence[Shard], folder: Path, name: str) -> RunOutput:
        pieces = [ShardPiece(self._hold, self._store, shard) for shard in shards]
        piece = fold_pieces(pieces, ledger, self._origin, self._writer, folder)
        key = shard_key(self._run_id, shards[0].number, "piece", name)
        return put_piece(self._store, key, piece)


def forget(store: Store, run_id: str, replaced: Replaced) -> None:
    """Let go what the store has of a shard that another stands for."""
    number, names = replaced.number, replaced.names
    keys = [shard_key(run_id, number, "segment", name) for name in replaced.segments]
    keys += [shard_key(run_id, number, FILES, name) for name in replaced.files]
    for name in names:
        sheet, piece = sheet_key(run_id, number, name), replaced.piece
        keys += [shard_key(run_id, number, kind, name) for kind in ("rows", "keys")]
        keys += [quality_key(run_id, number, name, kind) for kind in (QUALITY, SEEN)]
        keys += [sheet, f"{sheet}.index"]
        keys += [pictures_key(run_id, number, name), f"{piece}/manifest"]
        keys += [part_key(piece, part) for part in range(replaced.parts)]
    for key in keys:
        store.delete(store.ref(key))


def _one(
    shards: Sequence[Shard],
    name: str,
    piece: RunOutput,
    told: Iterable[str],
    *,
    has_pictures: bool,
) -> Shard:
    """The record of the one that stands for some."""
    first, last = shards[0], shards[-1]
    counts = {
        field: sum(getattr(shard, field) for shard in shards) for field in ShardCounts.model_fields
    }
    return Shard(
        **counts,
        number=first.number,
        part={FILES: name},
        state="done",
        planned=sum(shard.planned or 0 for shard in shards),
        first=first.first,
        folds=first.folds + 1,
        rows=sum(shard.rows for shard in shards),
        sheet=name,
        piece=piece,
        rows_blob=name,
        keys_blob=name,
        has_pictures=has_pictures,
        told=" ".join(told),
        ended_at_ms=last.ended_at_ms,
    )


def _replaced(shard: Shard, segments: Sequence[str]) -> Replaced:
    piece = shard.piece or RunOutput()
    return Replaced(
        at_ms=time.time_ns() // 1_000_000,
        number=shard.number,
        names=sorted({shard.sheet, shard.rows_blob}),
        segments=list(segments),
        files=[shard.part[FILES]],
        piece=piece.key,
        parts=piece.parts,
    )


def is_over(at_ms: int) -> bool:
    """Whether nobody reads any more what was put together then."""
    return time.time() - at_ms / 1000 > _KEPT_S
