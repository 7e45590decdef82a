"""A look at the source of a run that follows it: what is new there becomes shards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..client.annotate.constants import rows_among, shared_by_all
from ..client.annotate.formats import writer_of
from ..client.annotate.rows import Origin
from ..client.annotate.sources.base import Columns
from ..client.annotate.sources.choose import PlaceOf
from ..client.annotate.sources.files import FileVersion
from ..client.annotate.sources.sampling import USUAL
from ..client.annotate.sources.walking import FoundFile
from ..client.annotate.sources.watched import (
    WatchedFile,
    WatchedFolder,
    open_watched,
    version_id,
)
from ..jobs.call import Queue
from ..jobs.follow_records import StalePiece
from ..jobs.run_blobs import shard_key
from ..jobs.run_follow import LookEnd, tell_look
from ..jobs.run_records import Run, RunPlan, Shard
from ..jobs.run_spec import RunSpec
from ..jobs.run_steps import segments_of
from ..jobs.runs import get_run, shards_of
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import RowError
from ..tasks.registry import get_task
from .fold import TOGETHER, Fold, foldable, forget, is_over
from .hold import StepHold, StepLost
from .seen import SeenFile, SeenFiles
from .settings import RunSettings
from .shard_files import FILES, packed_files

#: New files that one call tells of, at most, beyond which a look tells in between.
_TOLD = 20_000

#: Times as long as a look at the whole source takes until the next one.
_REST = 10

#: Times that a look puts shards together, at most.
_FOLDS = 8

#: Seconds until the next look where the place cannot be listed.
_TROUBLE_S = 10.0

#: Times the settling time that the last look waits for files which do not stand still.
_PATIENCE = 10


class SourceLook:
    """One look, by who holds the run's step `follow`."""

    def __init__(
        self,
        hold: StepHold,
        queue: Queue,
        store: Store,
        jobs: JobsSettings,
        settings: RunSettings,
        cache: Path,
    ) -> None:
        self._hold, self._queue, self._store = hold, queue, store
        self._jobs, self._settings = jobs, settings
        run = queue.run(get_run(hold.step.run_id, jobs))
        if run is None or run.plan is None or run.progress.follow is None:
            raise StepLost
        self._now_ms = time.time_ns() // 1_000_000
        self._spec, self._plan, self._follow = run.spec, run.plan, run.progress.follow
        self._done = run.progress.shards_done
        self._is_last = run.progress.finishing or _time_is_up(run, self._now_ms)
        self._usual = _usual_size(run.plan, settings)
        self._size = run.spec.shard_rows or self._usual
        self._seen = SeenFiles(run.spec.id, self._follow.seen, store, cache)
        #: Number and first row of the next shard; the shards that nobody was told of.
        self._next, self._rows = run.progress.shards_total, run.progress.rows_total or 0
        self._made: list[Shard] = []
        #: Files that are new, in order, and whether each is a row; those that do not stand still.
        self._pending: list[tuple[SeenFile, bool]] = []
        self._moving: list[str] = []
        self._names = 0
        #: Seconds that were spent on telling, while the source was listed.
        self._told_s = 0.0

    def run(self, watched: WatchedFolder, folder: Path) -> None:
        """Look, and tell what is new. Raises StepEnded, InvalidRequest, Unavailable."""
        began, before = time.monotonic(), self._follow.trouble
        is_flat = watched.is_flat
        is_whole = self._is_last or not is_flat or self._whole_is_due()
        try:
            self._take(watched, "" if is_whole else self._follow.last)
            trouble = watched.trouble
        except RowError as error:
            trouble = error.message
        self._note(trouble=trouble)
        if is_whole and not trouble:
            self._note(
                whole_at_ms=self._now_ms,
                whole_s=round(time.monotonic() - began - self._told_s, 3),
                left_out=dict(watched.left_out),
            )
        self._cut_rest()
        self._note_waiting(watched.last_met, is_flat=is_flat, is_whole=is_whole)
        self._forget_replaced()
        if self._done - self._follow.folded_at >= TOGETHER and not self._is_last:
            self._tell(LookEnd.MORE, self._jobs.lease_ttl_s)  # what is new need not wait for it
            self._fold(folder)
        end = LookEnd.LAST if self._is_last and self._may_end() else LookEnd.NEXT
        wait_s = _TROUBLE_S if trouble else self._wait_s(is_flat=is_flat)
        self._tell(end, wait_s, is_news=before != self._follow.trouble)
        if end is LookEnd.LAST:
            self._seen.close()

    def _note(self, **known: object) -> None:
        self._follow = self._follow.model_copy(update=known)

    # --- what is there ---

    def _take(self, watched: WatchedFolder, after: str) -> None:
        """Take what is new behind a path; what is behind the last one was never seen."""
        found = self._heeding(watched.watched(after))
        new = ((file, 1) for file in found) if after else self._seen.unseen(found)
        for file, times in new:
            if self._moves(file.version):
                self._moving.append(file.path)
                continue
            seen = SeenFile(file.path, file.version.tag, times)
            self._pending.append((seen, watched.is_row(file.path)))
            if len(self._pending) >= max(_TOLD, self._size):
                began = time.monotonic()
                self._cut(len(self._pending) // self._size * self._size)
                self._tell(LookEnd.MORE, self._jobs.lease_ttl_s)
                self._told_s += time.monotonic() - began

    def _heeding(self, found: Iterator[WatchedFile]) -> Iterator[WatchedFile]:
        """The same, left off when the step is to be left."""
        for file in found:
            self._hold.check()
            yield file

    def _moves(self, version: FileVersion) -> bool:
        """Whether a file was changed a moment ago: somebody may be writing it."""
        at = version.changed_at
        return bool(at) and time.time() - at < self._settings.run_settle_s

    # --- what becomes of it ---

    def _cut_rest(self) -> None:
        """Make shards of what is left, but for what may wait for company."""
        since, wait_ms = self._follow.waiting_since_ms, self._spec.part_every_s * 1000
        has_waited = since is not None and self._now_ms - since >= wait_ms
        if self._is_last or not wait_ms or has_waited:
            self._cut(len(self._pending))
            self._note(waiting_since_ms=None)
        else:
            self._cut(len(self._pending) // self._size * self._size)

    def _cut(self, count: int) -> None:
        """Make shards of the first so many files."""
        taken, self._pending = self._pending[:count], self._pending[count:]
        if not taken:
            return
        self._seen.add([seen for seen, _ in taken], self._name())
        rows = [
            FoundFile(seen.path, id=version_id(seen.path, seen.times))
            for seen, is_row in taken
            if is_row
        ]
        for at in range(0, len(rows), self._size):
            self._made.append(self._shard(rows[at : at + self._size]))
        self._note(last=max(self._follow.last, taken[-1][0].path))
        if rows:
            self._note(files=self._follow.files + len(rows), found_at_ms=self._now_ms)

    def _shard(self, rows: Sequence[FoundFile]) -> Shard:
        name = self._name()
        key = shard_key(self._spec.id, self._next, FILES, name)
        self._store.put(key, packed_files(rows))
        part = {FILES: name}
        shard = Shard(number=self._next, part=part, planned=len(rows), first=self._rows)
        self._next += 1
        self._rows += len(rows)
        return shard

    def _name(self) -> str:
        """A name of this attempt's own: what another one stored is not replaced."""
        self._names += 1
        return f"{self._hold.attempt}-{self._names}"

    def _note_waiting(self, met: str, *, is_flat: bool, is_whole: bool) -> None:
        """Note how many files wait, and up to where all are known."""
        waiting = [*self._moving, *(seen.path for seen, _ in self._pending)]
        if is_flat and not waiting:
            self._note(last=max(self._follow.last, met))
        if is_whole:
            last = self._follow.last if is_flat else ""
            self._note(last=last, behind=sum(path <= last for path in waiting))
        count = len(waiting) + (0 if is_whole else self._follow.behind)
        since = self._follow.waiting_since_ms or self._now_ms
        self._note(waiting=count, waiting_since_ms=since if count else None)

    # --- what is done ---

    def _fold(self, folder: Path) -> None:
        """Put small shards together, some at a time: looks are to go on."""
        shards = self._queue.run(shards_of(self._spec.id, self._jobs))
        segments = self._queue.run(segments_of(self._spec.id, self._jobs))
        writer = writer_of(self._plan.format, get_task(self._plan.task))
        origin = _origin(self._spec, self._plan)
        fold = Fold(self._hold, self._queue, self._store, self._jobs, origin, writer)
        groups = foldable(shards, max(self._size, self._usual))
        for group in groups[:_FOLDS]:
            replaced = fold.make_one(group, segments, folder)
            self._note(replaced=[*self._follow.replaced, *replaced])
        if len(groups) <= _FOLDS:
            self._note(folded_at=self._done)

    def _forget_replaced(self) -> None:
        """Let go what others stand for, once no reader and no older Redis can want it."""
        stale = [each for each in self._follow.stale if is_over(each.at_ms)]
        for piece in stale:
            self._seen.forget(piece.name)
        over = [each for each in self._follow.replaced if is_over(each.at_ms)]
        for each in over:
            forget(self._store, self._spec.id, each)
        if over or stale:
            self._note(
                replaced=self._follow.replaced[len(over) :], stale=self._follow.stale[len(stale) :]
            )

    def _tell(self, end: LookEnd, wait_s: float, *, is_news: bool = False) -> None:
        stale = [StalePiece(name=name, at_ms=self._now_ms) for name in self._seen.stale]
        self._seen.stale.clear()
        self._note(
            seen=list(self._seen.pieces),
            stale=[*self._follow.stale, *stale],
            looked_at_ms=self._now_ms,
        )
        call = tell_look(
            self._hold.step,
            self._follow,
            self._made,
            self._jobs,
            end=end,
            wait_s=wait_s,
            is_news=is_news,
        )
        if not self._queue.run(call):
            raise StepLost
        self._made.clear()

    # --- when ---

    def _whole_is_due(self) -> bool:
        """Whether the whole source is to be looked at: objects may be replaced, or come between."""
        since_s = (self._now_ms - self._follow.whole_at_ms) / 1000
        return since_s >= max(self._spec.follow_every_s, _REST * self._follow.whole_s)

    def _wait_s(self, *, is_flat: bool) -> float:
        rest_s = 0.0 if is_flat else _REST * self._follow.whole_s
        return max(self._spec.follow_every_s, rest_s)

    def _may_end(self) -> bool:
        """Whether the last look has seen all; what never stands still is left out in the end."""
        since = self._follow.finishing_since_ms or self._now_ms
        self._note(finishing_since_ms=since)
        if not (self._moving or self._follow.trouble):
            return True
        if self._now_ms - since < _PATIENCE * max(1.0, self._settings.run_settle_s) * 1000:
            return False
        if self._moving:
            told = f"files that never stood still were left out: {len(self._moving)}"
            self._note(trouble=self._follow.trouble or told)
        return True


def watched_of(spec: RunSpec, plan: RunPlan, place: PlaceOf) -> WatchedFolder:
    """What a run follows, without a word from the API. Raises InvalidRequest."""
    origin = _origin(spec, plan)
    shared = rows_among(origin.task, origin.parameters)
    columns = replace(Columns(), constants=shared)
    return open_watched(spec.source, origin.task, columns, USUAL, place)


def _origin(spec: RunSpec, plan: RunPlan) -> Origin:
    """What makes the answers, as far as outputs tell of it."""
    task = get_task(plan.task)
    return Origin(
        task=task,
        model=spec.model,
        version=plan.version,
        parameters=shared_by_all(task, spec.parameters, spec.inputs),
        source=spec.source,
    )


def _usual_size(plan: RunPlan, settings: RunSettings) -> int:
    has_files = any(each.is_file for each in get_task(plan.task).inputs)
    return settings.run_shard_files if has_files else settings.run_shard_rows


def _time_is_up(run: Run, now_ms: int) -> bool:
    for_s = run.spec.follow_for_s
    return for_s is not None and now_ms - run.spec.created_at_ms >= for_s * 1000
