"""Files, batches, uploads and runs whose time is over: out of the books, then out of the store.

A blob that stays behind in between is named by nobody, and goes as an orphan. A run's are many: run
workers remove them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..protocol.errors import Conflict
from .batches import forget_batch, get_batch
from .call import Call, Queue, call_script
from .files import forget_file, get_file
from .keys import Keys
from .runs import forget_run, get_run, get_runs
from .settings import JobsSettings
from .stores import Store
from .uploads import forget_upload, get_upload, release_upload, upload_readers

#: Seconds that an expired file's bytes still stay, for whoever was just reading it.
READ_OUT_S = 3600

#: Ids asked for at a time.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Removed:
    """How many went, or would go."""

    files: int
    batches: int
    uploads: int = 0
    runs: int = 0

    def __str__(self) -> str:
        return (
            f"{self.files} files, {self.batches} batches, {self.uploads} uploads and"
            f" {self.runs} runs"
        )


def expired(kind: str, for_s: float, skip: int, settings: JobsSettings) -> Call[list[str]]:
    """Some ids of a `file`, `batch`, `upload` or `run` whose time is over for so long."""
    return call_script(
        "expired",
        settings,  # by Redis's clock, which all share
        keys={"expiring": Keys(settings.key_prefix).expiring(kind)},
        args={
            "for_ms": int(for_s * 1000),
            "skip": skip,
            "limit": _PAGE,
        },
        parse=lambda reply: [item.decode() for item in reply],
    )


class Remover:
    """Removes what has expired. Any process may; each file and batch goes once."""

    def __init__(self, queue: Queue, store: Store, settings: JobsSettings) -> None:
        self._queue, self._store, self._settings = queue, store, settings

    def remove(
        self, *, dry_run: bool = False, found: Callable[[str], None] = lambda _: None
    ) -> Removed:
        """Remove all that is due; a dry run only tells of it.

        Raises StoreUnavailable, Unavailable; what is done is done.
        """
        gone = {"file": 0, "batch": 0, "upload": 0, "run": 0}
        for kind, for_s, forget in (
            ("file", READ_OUT_S, self._forget_file),
            ("batch", 0, self._forget_batch),
            ("upload", READ_OUT_S, self._forget_upload),
            ("run", 0, self._forget_run),
        ):
            kept = 0
            while ids := self._queue.run(expired(kind, for_s, kept, self._settings)):
                for item in ids:
                    goes = dry_run or forget(item)
                    kept += dry_run or not goes
                    if goes:
                        gone[kind] += 1
                        found(item)
        return Removed(gone["file"], gone["batch"], gone["upload"], gone["run"])

    def _forget_file(self, file_id: str) -> bool:
        """Whether it was there, and no batch reads it."""
        file = self._queue.run(get_file(file_id, self._settings))
        if file is None:
            return False
        try:
            gone = self._queue.run(forget_file(file, self._settings, expired_for_s=READ_OUT_S))
        except Conflict:
            return False
        for part in gone.parts if gone else ():
            self._store.delete(part.ref)
        return gone is not None

    def _forget_batch(self, batch_id: str) -> bool:
        batch = self._queue.run(get_batch(batch_id, self._settings))
        return batch is not None and self._queue.run(forget_batch(batch.asked, self._settings))

    def _forget_run(self, run_id: str) -> bool:
        run = self._queue.run(get_run(run_id, self._settings))
        if run is None:
            return False
        return self._queue.run(forget_run(run.spec, self._settings, expired_only=True))

    def _forget_upload(self, upload_id: str) -> bool:
        """Whether it was there, and no run reads it that has not ended."""
        upload = self._queue.run(get_upload(upload_id, self._settings))
        if upload is None:
            return False
        readers = self._queue.run(upload_readers(upload_id, self._settings))
        runs = self._queue.run(get_runs(readers, self._settings)) if readers else []
        for run_id, run in zip(readers, runs, strict=True):
            if run is None or run.state.terminal:
                self._queue.run(release_upload(upload_id, run_id, self._settings))
        try:
            gone = self._queue.run(forget_upload(upload, self._settings, expired_for_s=READ_OUT_S))
        except Conflict:
            return False
        for ref in gone.refs if gone else ():
            self._store.delete(ref)
        return gone is not None
