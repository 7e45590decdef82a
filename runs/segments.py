"""What a shard has come to, put into the store every few seconds for whoever goes on with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ..client.annotate.ledger import Ledger
from ..client.annotate.run import Progress
from ..client.annotate.segments import SegmentTaker, take_in
from ..jobs.run_blobs import shard_key
from ..jobs.run_records import ShardCounts
from ..jobs.stores import Store
from ..protocol.errors import Unavailable
from .device_meter import DeviceMeter
from .earlier import EarlierAnswers
from .hold import StepHold
from .leftovers import Leftovers
from .settings import RunSettings

#: Seconds between two looks whether there is something to store.
_LOOK_S = 0.5

#: Jobs that Redis is told to forget in one call, at most.
_FORGET = 1000

#: What stands in a segment's name before how many of its rows an earlier run had answered.
_REUSED = "-r"


class Segments:
    """Keeps one shard's ledger in the store, and the run's counters up to date."""

    def __init__(
        self,
        hold: StepHold,
        ledger: Ledger,
        store: Store,
        leftovers: Leftovers,
        settings: RunSettings,
        meter: DeviceMeter,
    ) -> None:
        self._hold, self._store, self._settings, self._leftovers = hold, store, settings, leftovers
        self._number = hold.step.shard.number if hold.step.shard else 0
        self._taker = SegmentTaker(ledger)
        self._ledger, self._meter = ledger, meter
        self._count = len(hold.step.segments)
        #: Rows that an earlier try at this shard had answered, and those that had failed.
        self._answered = self._failed = 0
        #: Rows whose answers it had from earlier runs; and where such come from.
        self._reused = 0
        self.earlier: EarlierAnswers | None = None
        #: Jobs whose answers are in the ledger, and not known to be in the store.
        self._settled: list[str] = []
        #: Segments that are in the store, of which Redis was not told.
        self._untold: list[str] = []
        self._looked_at = self._stored_at = time.monotonic()

    def resume(self) -> None:
        """Take in what earlier tries at this shard stored."""
        take_in(self._ledger, self._stored(), resume=True)
        self._taker.kept()
        count = self._ledger.database.execute
        self._reused = sum(map(_reused, self._hold.step.segments))
        self._answered = int(count("SELECT count(*) FROM parts").fetchone()[0]) - self._reused
        self._failed = int(count("SELECT count(*) FROM failures").fetchone()[0])

    def _stored(self) -> Iterator[bytes]:
        step = self._hold.step
        for name in step.segments:
            key = shard_key(step.run_id, self._number, "segment", name)
            yield self._store.get(self._store.ref(key))

    def settle(self, job_ids: list[str]) -> None:
        """Note jobs whose answers the ledger has: the server may forget them once the store has."""
        self._settled += job_ids

    def look(self, progress: Progress) -> None:
        """Store what is due. Raises what `StepHold.check` does."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        self._meter.look(progress.done)
        is_due = now - self._stored_at >= self._settings.run_segment_s
        if is_due or self._taker.waiting() >= self._settings.run_segment_bytes:
            self.store(progress)

    def store(self, progress: Progress) -> None:
        """Put what is new into the store, then let the server forget what it answered."""
        names = self.put()
        self._hold.save(self.counts(progress), segment=names)
        self._untold.clear()
        self._stored_at = time.monotonic()
        self.forget()

    def put(self) -> str:
        """Put what is new into the store; names of segments that Redis does not know, with blanks.

        Raises Unavailable: then all of it is new still.
        """
        if segment := self._taker.segment():
            self._put(segment)
        return " ".join(self._untold)

    def _put(self, segment: bytes) -> None:
        name = f"{self._count:06}-{self._hold.attempt}"
        if self.earlier and self.earlier.unstored:
            name += f"{_REUSED}{self.earlier.unstored}"
        self._store.put(shard_key(self._hold.step.run_id, self._number, "segment", name), segment)
        self._taker.kept()
        self._untold.append(name)
        self._count += 1
        if self.earlier:
            self.earlier.stored()

    def forget(self) -> None:
        """Let the jobs go whose answers are in the store."""
        with contextlib.suppress(Unavailable):  # the next time
            while self._settled:
                self._leftovers.forget(self._settled[:_FORGET])
                del self._settled[:_FORGET]

    def counts(self, progress: Progress, written: int = 0) -> ShardCounts:
        """How far the shard is, whichever tries it took."""
        found = self.earlier.found if self.earlier else 0
        answered = self._answered + progress.left_over
        known = answered + self._failed + self._reused + found
        return ShardCounts(
            read=progress.read,
            done=answered + progress.done,
            failed=self._failed + progress.failed,
            reused=self._reused + found,
            duplicates=max(0, progress.reused - known),
            in_flight=progress.in_flight,
            device_ms=self._meter.device_ms,
            written=written,
        )


def _reused(name: str) -> int:
    return int(name.partition(_REUSED)[2] or 0)
