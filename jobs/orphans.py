"""Orphaned blobs: what in the store no job, file, batch, upload or run refers to any more.

They are left by a submit that died between its two steps, by results whose record has run out, by
attempts that lost their lease, by an upload or a removal of a file that broke off. Each blob's key
is written once and never again, so a blob that is an orphan stays one, however long its removal
takes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..protocol.states import JobState
from .batches import get_batch, output_file_id
from .call import Call, Queue
from .expired import Remover
from .files import LONGEST_UPLOAD_S, get_file
from .keys import Keys
from .reach import of_job
from .runs import known_run
from .settings import JobsSettings
from .stores import PART, Blob, Store
from .uploads import get_upload

T = TypeVar("T")

#: Where each fleet that writes to a store leaves its name.
_FLEETS = "fleet/"


def payload_key(job_id: str, fingerprint: str) -> str:
    """A key for a payload. Its last part is new each time: a second submit must not share it."""
    return f"payload/{job_id}/{fingerprint}/{uuid.uuid4().hex}"


def result_key(job_id: str, attempt: int, worker: str) -> str:
    """A key for an attempt's result: a late attempt must not overwrite the accepted one."""
    return f"result/{job_id}/{attempt}/{worker}"


@dataclass(frozen=True, slots=True)
class References:
    """What a job says of its blobs."""

    status: JobState
    payload_ref: str
    result_ref: str
    #: Its payload is kept for replay.
    dead_letter: bool

    def wants(self, ref: str, kind: str) -> bool:
        """Whether a blob is or may yet be of use to the job."""
        if not self.status.terminal:
            return kind == "result" or ref == self.payload_ref
        return ref == (self.payload_ref if self.dead_letter else self.result_ref)


def references(job_id: str, settings: JobsSettings) -> Call[References | None]:
    """What a job says of its blobs; None for an unknown id."""
    fields = ("status", "payload_ref", "result_ref", "error_type")
    return Call(
        [("HMGET", Keys(settings.key_prefix).job(job_id), *fields)],
        parse=_references,
        reach=of_job(job_id),
    )


def _references(reply: list[bytes | None]) -> References | None:
    status, payload_ref, result_ref, error_type = ((f or b"").decode() for f in reply)
    if not status:
        return None
    return References(JobState(status), payload_ref, result_ref, error_type == "worker_lost")


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep saw and removed."""

    seen: int
    orphans: int
    removed: int


class SharedStoreError(Exception):
    """Another fleet writes to this store, or wrote to it before Redis was emptied."""


def redis_name(settings: JobsSettings) -> Call[str]:
    """What a Redis is called: one that is reached in two ways has one name."""
    key = Keys(settings.key_prefix).fleet
    named = [("SET", key, uuid.uuid4().hex, "NX"), ("GET", key)]
    return Call(named, lambda name: str(name.decode()))


class Sweeper:
    """Removes orphans. Any process may; none removes what a job refers to, or what is young."""

    def __init__(self, queue: Queue, store: Store, settings: JobsSettings) -> None:
        self._queue, self._store, self._settings = queue, store, settings
        #: Removes files and batches whose time is over; that may leave orphans.
        self.expired = Remover(queue, store, settings)

    def due(self) -> bool:
        """Whether it is time for a sweep, and it is for this process to do: true once a period."""
        key = Keys(self._settings.key_prefix).swept(self._store.name)
        command = ("SET", key, "1", "NX", "EX", self._settings.sweep_every_s)
        return self._queue.run(_single_command(command, bool))

    def sweep(
        self,
        *,
        dry_run: bool = False,
        adopt: bool = False,
        found: Callable[[Blob], None] = lambda _: None,
    ) -> Swept:
        """One sweep. `adopt` takes the store over from other fleets, which must be gone.

        Raises SharedStoreError, StoreUnavailable, Unavailable; what is done is done.
        """
        self._own(adopt=adopt, dry_run=dry_run)
        seen = orphans = removed = 0
        for kind in (PART, "payload", "result", "file", "batch", "upload", "run"):
            for blob in self._store.blobs(kind + "/"):
                seen += 1
                if not self._is_orphan(kind, blob):
                    continue
                orphans += 1
                found(blob)
                if not dry_run:
                    self._store.delete(blob.ref)
                    removed += 1
        return Swept(seen, orphans, removed)

    def _is_orphan(self, kind: str, blob: Blob) -> bool:
        age_s = time.time() - blob.written_at
        if age_s < self._settings.sweep_age_s:
            return False
        name = blob.key.removeprefix(f"{kind}/")
        owner, _, rest = name.partition("/")
        match kind:
            case "file":  # its parts come before its record, the last of them late
                return age_s > 2 * LONGEST_UPLOAD_S and not self._in_file(owner, blob)
            case "upload":  # all of it comes before its record
                is_young = age_s <= 2 * LONGEST_UPLOAD_S
                return not is_young and not self._queue.run(get_upload(owner, self._settings))
            case "batch":
                return not self._in_batch(owner, rest.partition("/")[0], blob)
            case "run":
                return not self._queue.run(known_run(owner, self._settings))
            case "payload" | "result":
                job = self._queue.run(references(name.rsplit("/", 2)[0], self._settings))
                return job is None or not job.wants(blob.ref, kind)
            case _:
                return True

    def _in_file(self, file_id: str, blob: Blob) -> bool:
        file = self._queue.run(get_file(file_id, self._settings))
        return file is not None and any(part.ref == blob.ref for part in file.parts)

    def _in_batch(self, batch_id: str, kind: str, blob: Blob) -> bool:
        """Whether a batch's output holds it. Until the batch has ended, that is in its progress."""
        batch = self._queue.run(get_batch(batch_id, self._settings))
        if batch is not None and not batch.status.terminal:
            parts = (*batch.progress.output, *batch.progress.error)
            return any(part.ref == blob.ref for part in parts)
        return self._in_file(output_file_id(batch_id, kind), blob)

    def _own(self, *, adopt: bool, dry_run: bool) -> None:
        """Leave this fleet's name in the store, and make sure that there is no other's."""
        mine = {_FLEETS + name for name in self._names()}
        marks = list(self._store.blobs(_FLEETS))
        for name in mine - {mark.key for mark in marks} if not dry_run else ():
            self._store.put(name, b"")
        others = [mark for mark in marks if mark.key not in mine]
        if others and not adopt:
            names = ", ".join(mark.key.removeprefix(_FLEETS) for mark in others)
            raise SharedStoreError(
                f"{self._store.name} has blobs of another fleet ({names}), or Redis was emptied:"
                " nothing is swept until you run `wherry sweep --adopt`, or give each a store;"
                " where families have a Redis of their own, all processes need WHERRY_FAMILY_REDIS"
            )
        for mark in others if not dry_run else ():
            self._store.delete(mark.ref)

    def _names(self) -> list[str]:
        """What each Redis of this fleet is called."""
        return [one.run(redis_name(self._settings)) for one in self._queue.parts]


def _single_command(command: tuple[Any, ...], parse: Callable[[Any], T]) -> Call[T]:
    return Call([command], parse=parse)
