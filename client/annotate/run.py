"""An annotation run: rows of a source through the fleet into the ledger.

Every row is answered once, whatever breaks meanwhile: a job is noted before it is sent, an answer
when it is read, and a run that is started again goes on from there. What fails as a pack is sent
again in halves until the rows at fault stand alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...protocol import v2
from ...protocol.errors import (
    InvalidRequest,
    JobGone,
    JobNotFound,
    ModelFailed,
    NotFound,
    Unavailable,
    WherryError,
)
from ...protocol.parameters import errors_told
from .fleet import Fleet
from .in_flight import JobsInFlight
from .job_size import JobSize
from .ledger import Ledger
from .packing import MAX_BYTES, Pack, Packed, Packer, image_of, image_size, weight
from .pictures import Pictures
from .rows import Origin, SourceRow, UnreadableRow
from .sources.base import Source
from .stored_answers import pack_answers

#: The bulk lane: everything else goes first.
_PRIORITY = 9

#: Times that rows whose job was lost are sent again before they count as failed.
_MAX_TRIES = 5

#: Seconds between two commits of the ledger at most.
_COMMIT_S = 0.5

#: Jobs that the server is told to forget in one call, at most.
_FORGET = 1000


class TooManyErrors(WherryError):
    """More rows failed than may."""

    code = "too_many_errors"


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    #: Rows in all; None while the source has not said.
    total: int | None = None
    #: Rows read from the source.
    read: int = 0
    #: Rows that an earlier run had finished, or an equal row of this one.
    reused: int = 0
    done: int = 0
    failed: int = 0
    in_flight: int = 0
    retried: int = 0
    #: Rows of jobs that an earlier try had sent, whose answers were read first.
    left_over: int = 0
    #: Files of the source that are no rows, met so far.
    left_out: int = 0
    started_at: float = field(default_factory=time.monotonic)

    @property
    def rows_per_s(self) -> float:
        """Rows answered a second, those of earlier runs left out."""
        return self.done / max(1e-9, time.monotonic() - self.started_at)


class RowWatcher(Protocol):
    """Sees rows while they are read."""

    def offer(self, position: int, row: SourceRow, key: bytes) -> None:
        """See a row that could be read, in its place."""


@dataclass(slots=True)
class AnnotateRun:
    """One run over one source."""

    client: Fleet
    source: Source
    origin: Origin
    ledger: Ledger
    #: Rows in one job: what the model takes in one forward.
    rows_per_job: int
    #: Jobs sent and not read: enough that no worker waits, no more.
    jobs_in_flight: int | JobsInFlight
    max_errors: int | None = None
    #: More rows than that where the model is quick; None for never.
    job_size: JobSize | None = None
    #: Takes rows for the report; None for no report.
    sampler: RowWatcher | None = None
    #: The field of rows whose text the output needs; "" for none.
    text_field: str = ""
    #: Keeps the rows' pictures for the writer; None where it has no use for them.
    pictures: Pictures | None = None
    priority: int = _PRIORITY
    #: What jobs' names begin with, where they are named after their rows: the same rows sent again
    #: are the same job. "" for names that are new each time.
    job_prefix: str = ""
    #: Takes the jobs whose answers the ledger has; None lets the server forget them at once.
    settled: Callable[[list[str]], None] | None = None
    #: Told the keys of rows before they are looked up: the ledger may be given their answers then.
    earlier: Callable[[list[bytes]], None] | None = None
    progress: Progress = field(default_factory=Progress)
    _packs: deque[Pack] = field(default_factory=deque)
    _again: deque[Pack] = field(default_factory=deque)
    #: Keys of rows on their way: an equal row need not go too.
    _under_way: set[bytes] = field(default_factory=set)
    #: Jobs whose answers the ledger has: the server need not keep them.
    _kept: list[str] = field(default_factory=list)
    _committed_at: float = 0.0
    _has_images: bool = field(init=False)

    def __post_init__(self) -> None:
        self._has_images = any(spec.content == "image" for spec in self.origin.task.inputs)

    def run(self) -> Iterator[Progress]:
        """Answer every row; yields after each job. Raises TooManyErrors, Unavailable, and
        InvalidRequest for a source without rows.
        """
        self.progress.total = self.source.count()
        yield from self._read_left_over()
        rows = self._packs_of_source()
        while True:
            answers = self.client.map(
                self.origin.model,
                self._requests(rows),
                in_flight=self.jobs_in_flight,
                return_errors=True,
            )
            for answer in answers:
                pack = self._packs.popleft()
                self._take(pack, answer)
                yield self._noted()
            if not self._again:
                break
        if not self.progress.read:
            raise InvalidRequest(f"{self.origin.source}: has no rows")
        self.progress.total = self.progress.read
        self._commit()
        yield self._noted()

    @property
    def _rows(self) -> int:
        return self.job_size.rows if self.job_size else self.rows_per_job

    def under_way(self) -> list[str]:
        """Jobs that were sent and not read; any thread may ask."""
        return [pack.job_id for pack in self._packs.copy()]

    # --- sending ---

    def _requests(self, rows: Iterator[Pack]) -> Iterator[v2.InferenceRequest]:
        while True:
            pack = self._again.popleft() if self._again else next(rows, None)
            if pack is None:
                return
            if self.job_prefix:
                pack.job_id = f"{self.job_prefix}{pack.content()}"
            self.ledger.sent(pack.job_id, [row.key for row in pack.rows])
            self._packs.append(pack)
            self.progress.in_flight += len(pack.rows)
            yield pack.request(self.priority)

    def _packs_of_source(self) -> Iterator[Pack]:
        pack, packer, most = Pack(), Packer(self.origin, self.ledger.hash_name), self._rows
        for rows in self._read_together():
            for packed in self._place_all(rows, packer):
                if not pack.fits(packed, most):
                    yield pack
                    pack, most = Pack(), self._rows
                pack.add(packed)
        if pack.rows:
            yield pack

    def _read_together(self) -> Iterator[list[tuple[int, SourceRow | UnreadableRow]]]:
        """The source's rows, some at a time: as many as a job has, and as many bytes."""
        rows: list[tuple[int, SourceRow | UnreadableRow]] = []
        size, most = 0, self._rows
        for position, row in enumerate(self.source):
            self.progress.read += 1
            rows.append((position, row))
            size += weight(row) if isinstance(row, SourceRow) else 0
            if len(rows) >= most or size >= MAX_BYTES:
                yield rows
                rows, size, most = [], 0, self._rows
        if rows:
            yield rows

    def _place_all(
        self, rows: Sequence[tuple[int, SourceRow | UnreadableRow]], packer: Packer
    ) -> Iterator[Packed]:
        """Give rows their places; what is to be sent of them."""
        keys = [packer.key(_content(row)) for _, row in rows]
        if self.earlier:
            self.earlier(keys)
        done, to_send = self.ledger.done(keys), list[tuple[bytes, SourceRow]]()
        for key, (position, row) in zip(keys, rows, strict=True):
            self._place(position, row, key)
            if key in self._under_way or key in done:
                self.progress.reused += 1
            elif isinstance(row, UnreadableRow):
                done.add(key)
                self._fail(key, InvalidRequest(row.reason))
            else:
                self._under_way.add(key)
                to_send.append((key, row))
        for (key, _), packed in zip(to_send, packer.pack(to_send), strict=True):
            if isinstance(packed, Packed):
                yield packed
            else:
                self._under_way.discard(key)
                self._fail(key, packed)

    def _place(self, position: int, row: SourceRow | UnreadableRow, key: bytes) -> None:
        if isinstance(row, UnreadableRow):
            self.ledger.place(position, row.id, row.path, key, None, unread=True)
            return
        size = image_size(self.origin.task, row) if self._has_images else None
        self.ledger.place(position, row.id, row.path, key, size, frame=row.frame)
        if self.text_field:
            self.ledger.keep_text(key, str(row.values.get(self.text_field, "")))
        if self.sampler:
            self.sampler.offer(position, row, key)
        if self.pictures and self._has_images and (image := image_of(self.origin.task, row)):
            self.pictures.keep(position, image, row.file)

    # --- reading ---

    def _take(self, pack: Pack, answer: object) -> None:
        """Note what came of a job."""
        self.progress.in_flight -= len(pack.rows)
        self.ledger.read(pack.job_id)
        if isinstance(answer, v2.InferenceResponse):
            self._keep(pack, answer)
            if self.job_size:
                self.job_size.answered()
            self._kept.append(pack.job_id)
        elif isinstance(answer, WherryError):
            self._retry(pack, answer)
        else:
            raise TypeError(f"a job answered {type(answer).__name__}")

    def _keep(self, pack: Pack, response: v2.InferenceResponse) -> None:
        errors = errors_told(response.parameters)
        keys = [row.key for row in pack.rows]
        self._keep_answers(response, keys, errors)
        self._under_way.difference_update(keys)
        self.progress.done += len(keys) - len(errors)
        for index, error in errors.items():
            self._fail(keys[index], error)

    def _keep_answers(
        self,
        response: v2.InferenceResponse,
        keys: Sequence[bytes],
        errors: Mapping[int, WherryError],
    ) -> None:
        body = pack_answers(self.origin.task, response, len(keys))
        kept = [None if index in errors else key for index, key in enumerate(keys)]
        self.ledger.keep(body, kept)

    def _retry(self, pack: Pack, error: WherryError) -> None:
        """Send a pack again: whole when its job was lost, halved when a row may be at fault."""
        no_model = isinstance(error, NotFound) and not isinstance(error, JobNotFound)
        if no_model or isinstance(error, ModelFailed):
            raise error  # no row will do better
        lost = isinstance(error, JobNotFound | JobGone | Unavailable)
        if lost and pack.tries < _MAX_TRIES:
            self._again.append(pack.again())
        elif not lost and len(pack.rows) > 1:
            self._again.extend(pack.halves())
        else:
            for packed in pack.rows:
                self._under_way.discard(packed.key)
                self._fail(packed.key, error)
            return
        self.progress.retried += len(pack.rows)

    def _fail(self, key: bytes, error: WherryError) -> None:
        self.ledger.fail(key, error.message, error.code)
        self.progress.failed += 1
        if self.max_errors is not None and self.progress.failed > self.max_errors:
            self.ledger.commit()
            raise TooManyErrors(
                f"{self.progress.failed} rows failed, {self.max_errors} may; the last: "
                f"{error.message}"
            )

    def _read_left_over(self) -> Iterator[Progress]:
        """Read the jobs that an earlier run sent and did not read."""
        for job_id, keys in self.ledger.under_way():
            try:
                response = self.client.result(job_id, plain=True)
                assert isinstance(response, v2.InferenceResponse)
                errors = errors_told(response.parameters)
                self._keep_answers(response, keys, errors)
                self.progress.left_over += len(keys) - len(errors)
            except Unavailable:
                raise
            except WherryError:
                pass  # its rows are sent again when the source comes to them
            else:
                self._kept.append(job_id)
            self.ledger.read(job_id)
            yield self._noted()

    def _noted(self) -> Progress:
        if isinstance(self.jobs_in_flight, JobsInFlight):
            self.jobs_in_flight.look()
        self.progress.left_out = self.source.left_out.total()
        if time.monotonic() - self._committed_at > _COMMIT_S:
            self._commit()
            self._committed_at = time.monotonic()
        return self.progress

    def _commit(self) -> None:
        """Keep the answers on disk, then let the server forget them: it has room for others."""
        self.ledger.commit()
        if self.settled:
            self.settled(self._kept)
            self._kept = []
        while self._kept:
            try:
                self.client.forget(self._kept[:_FORGET])
            except Unavailable:
                return  # the next time
            except WherryError:
                pass  # a server that cannot: its results have an end of their own
            del self._kept[:_FORGET]


def _content(row: SourceRow | UnreadableRow) -> Mapping[str, Any]:
    """What tells a row from others: one that could not be read is known by that."""
    return row.values if isinstance(row, SourceRow) else {"": f"{row.id}\n{row.reason}"}
