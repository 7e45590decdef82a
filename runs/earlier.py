"""Answers of earlier runs, found by what is in their rows: what was computed is not computed again.

Each shard that is done leaves the beginnings of its rows' keys in the store. A run worker lays
those of earlier runs side by side, on its disk, and reads an earlier shard's answers once a row of
it is met: of a data set that has grown, each shard finds its rows in one or two of them.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..client.annotate.ledger import Ledger
from ..client.annotate.packing import Packer
from ..client.annotate.rows import Origin
from ..client.annotate.segments import forget_all, take_in
from ..jobs.call import Queue
from ..jobs.run_blobs import shard_key
from ..jobs.run_earlier import earlier_runs, segments_of_shard
from ..jobs.run_records import RunPlan, Shard
from ..jobs.run_spec import RunSpec
from ..jobs.runs import shards_of
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import NotFound

#: Bytes of a key that the store has, and bits of it that stand before a shard's number.
_BEGINNING, _NUMBER_BITS = 8, 24

#: Earlier runs that are looked at, and rows of them in all.
_RUNS, _ROWS = 8, 100_000_000

#: Rows that are sorted at once; each lot is a file of its own.
_LOT = 4_000_000

#: Rows whose answers lie on this machine's disk at a time, at least.
_HELD = 200_000

#: Rows of earlier shards that one shard reads in any case; beyond, so many for each that was of
#: use. One whose rows are scattered over all of them would read more than it saves.
_READ, _READ_A_ROW = 1_000_000, 20

_Beginnings = NDArray[np.uint64]


def origin_text(origin: Origin) -> str:
    """What tells answers of one model, version and parameters from any others."""
    return Packer(origin).key({}).hex()


def with_earlier(plan: RunPlan, spec: RunSpec, queue: Queue, jobs: JobsSettings) -> RunPlan:
    """A plan that names the runs whose answers are of use to it."""
    if not spec.reuse:
        return plan
    found = queue.run(earlier_runs(spec, plan.origin, _RUNS, jobs))
    return plan.model_copy(update={"earlier": found})


def beginnings_of(ledger: Ledger) -> bytes:
    """How the keys begin of the rows that have their answers, in order."""
    ledger.commit()
    keys = ledger.database.execute("SELECT key FROM parts ORDER BY key")
    return b"".join(key[:_BEGINNING] for (key,) in keys)


class EarlierShard(NamedTuple):
    """A shard that is done, of a run that has ended."""

    run_id: str
    number: int
    rows: int


class EarlierIndex:
    """Which earlier shards may have a row.

    Sorted numbers in files: how a row's key begins, then a shard's place.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.shards: list[EarlierShard] = []
        self._lots: list[_Beginnings] = []
        self._pending: list[_Beginnings] = []
        self.rows = self._waiting = 0

    def add(self, shard: EarlierShard, beginnings: bytes) -> None:
        """Take in a shard's rows."""
        keys = np.frombuffer(beginnings, dtype=">u8").astype(np.uint64)
        self._pending.append(_cut(keys) | np.uint64(len(self.shards)))
        self.shards.append(shard)
        self.rows += len(keys)
        self._waiting += len(keys)
        if self._waiting >= _LOT:
            self.end()

    def end(self) -> None:
        """Write down what was added."""
        if not self._waiting:
            return
        path = self._folder / f"{len(self._lots)}"
        np.sort(np.concatenate(self._pending)).tofile(path)
        # Read as a plain array: each step of a memmap's own class takes as long as all the looking.
        self._lots.append(np.asarray(np.memmap(path, dtype=np.uint64, mode="r")))
        self._pending.clear()
        self._waiting = 0

    def find(self, keys: Sequence[bytes]) -> Iterator[int]:
        """The shards that may have some of these rows, by their place in `shards`."""
        heads = b"".join(key[:_BEGINNING] for key in keys)
        least = _cut(np.frombuffer(heads, dtype=">u8").astype(np.uint64))
        most = least | np.uint64((1 << _NUMBER_BITS) - 1)
        for lot in self._lots:
            begins = np.searchsorted(lot, least)
            # Most rows are in no shard: what follows their place is another's.
            there = begins < len(lot)
            there[there] = lot[begins[there]] <= most[there]
            for begin, last in zip(begins[there].tolist(), most[there], strict=True):
                for found in lot[begin : np.searchsorted(lot, last, "right")].tolist():
                    yield found & ((1 << _NUMBER_BITS) - 1)

    def close(self) -> None:
        """Remove its files; who still reads them may go on."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _cut(keys: _Beginnings) -> _Beginnings:
    """The beginnings of keys, with room for a shard's number behind."""
    bits = np.uint64(_NUMBER_BITS)
    cut: _Beginnings = keys >> bits << bits
    return cut


class EarlierRuns:
    """The index of the run that this process is at. Threads may share it."""

    def __init__(self, queue: Queue, store: Store, jobs: JobsSettings) -> None:
        self._queue, self._store, self._jobs = queue, store, jobs
        self._guard = threading.Lock()
        self._of, self._index = "", None

    _index: EarlierIndex | None

    def index(
        self, run_id: str, plan: RunPlan, folder: Path, check: Callable[[], None]
    ) -> EarlierIndex | None:
        """The index of a run, kept below `folder` until another run's is asked for; None for none.

        Raises Unavailable, and what `check` does.
        """
        if not plan.earlier:
            return None
        with self._guard:
            if self._of != run_id:
                if self._index:
                    self._index.close()
                self._of, self._index = "", None
                self._index = self._made(plan, folder / f"earlier-{run_id}", check)
                self._of = run_id
            return self._index

    def _made(self, plan: RunPlan, folder: Path, check: Callable[[], None]) -> EarlierIndex | None:
        shutil.rmtree(folder, ignore_errors=True)  # of a try that broke off
        index = EarlierIndex(folder)
        for run_id in plan.earlier:
            for shard in self._queue.run(shards_of(run_id, self._jobs)):
                check()
                if shard.keys_blob and index.rows + shard.rows <= _ROWS:
                    self._add(index, run_id, shard)
        index.end()
        return index

    def _add(self, index: EarlierIndex, run_id: str, shard: Shard) -> None:
        key = shard_key(run_id, shard.number, "keys", shard.keys_blob)
        try:
            beginnings = self._store.get(self._store.ref(key))
        except NotFound:
            return  # it was forgotten meanwhile
        index.add(EarlierShard(run_id, shard.number, shard.rows), beginnings)

    def segments(self, shard: EarlierShard) -> Iterator[bytes]:
        """What the store has of an earlier shard's answers. Raises NotFound, Unavailable."""
        call = segments_of_shard(shard.run_id, shard.number, self._jobs)
        for name in self._queue.run(call):
            yield self._store.get(
                self._store.ref(shard_key(shard.run_id, shard.number, "segment", name))
            )


class EarlierAnswers:
    """Gives one shard's ledger the answers that earlier runs have of its rows. Close it."""

    def __init__(self, ledger: Ledger, runs: EarlierRuns, index: EarlierIndex, path: Path) -> None:
        """`path` is where answers of earlier shards lie meanwhile."""
        self._ledger, self._runs, self._index = ledger, runs, index
        self._held = Ledger(path)
        #: Earlier shards that are held, their rows, and those of all that were read.
        self._there, self._there_rows, self._read_rows = set[int](), 0, 0
        #: Block of an earlier shard -> the ledger's own copy, which no segment has yet.
        self._copied: dict[int, int] = {}
        #: Rows that were found, and those that no segment has yet.
        self.found = self.unstored = 0

    def look(self, keys: Sequence[bytes]) -> None:
        """Have the ledger know what is known of some rows."""
        done = self._ledger.done(keys)
        wanted = [key for key in dict.fromkeys(keys) if key not in done]
        if not wanted:
            return
        left = self._take(wanted)
        if left and self._fetch(left):
            self._take(left)

    def stored(self) -> None:
        """Note that a segment has all that the ledger had."""
        self._copied.clear()
        self.unstored = 0

    def close(self) -> None:
        """Let go of what was read."""
        self._held.close()

    def _take(self, wanted: Sequence[bytes]) -> list[bytes]:
        """Copy what is held; the keys of those that are not."""
        marks = ",".join("?" * len(wanted))
        query = f"SELECT key, block, place FROM parts WHERE key IN ({marks})"  # noqa: S608 # our own names
        found = self._held.database.execute(query, wanted).fetchall() if self._there else []
        parts = [(key, self._copy(block), place) for key, block, place in found]
        self._ledger.database.executemany("INSERT OR IGNORE INTO parts VALUES (?, ?, ?)", parts)
        self.found += len(parts)
        self.unstored += len(parts)
        taken = {key for key, _, _ in parts}
        return [key for key in wanted if key not in taken]

    def _copy(self, block: int) -> int:
        if block not in self._copied:
            query = "SELECT body FROM blocks WHERE id = ?"
            (body,) = self._held.database.execute(query, (block,)).fetchone()
            added = self._ledger.database.execute("INSERT INTO blocks (body) VALUES (?)", (body,))
            assert added.lastrowid is not None
            self._copied[block] = added.lastrowid
        return self._copied[block]

    def _fetch(self, wanted: Sequence[bytes]) -> bool:
        """Read the earlier shards that may have these rows; whether there were any."""
        missing = {*self._index.find(wanted)} - self._there
        is_new = False
        for at in sorted(missing):
            if self._read_rows > _READ + _READ_A_ROW * self.found:
                break
            self._read_in(at)
            is_new = True
        return is_new

    def _read_in(self, at: int) -> None:
        shard = self._index.shards[at]
        if self._there and self._there_rows + shard.rows > _HELD:
            forget_all(self._held)
            self._there.clear()
            self._copied.clear()
            self._there_rows = 0
        self._there.add(at)
        self._there_rows += shard.rows
        self._read_rows += shard.rows
        with contextlib.suppress(NotFound):  # it was forgotten meanwhile: its rows are computed
            take_in(self._held, self._runs.segments(shard))
        # A row that failed there may have its answer in the next.
        self._held.database.execute("DELETE FROM failures")
